// SPDX-License-Identifier: Apache-2.0

extension Rule {
    /// What comes back when the probe asks. The lines are those of ``ProbeAnswer``.
    static let answers: [Rule] = [
        Rule(
            code: "answer-tls", .answer, rank: .world,
            when: [
                "answered: TLS", "plain HTTP request was sent to HTTPS port",
                "Client sent an HTTP request to an HTTPS server",
            ],
            says: "it speaks TLS on its port, and kinto's proxy does that for it",
            [.init("have it speak plain HTTP on $PORT; see docs/tls.md")]),
        Rule(
            code: "answer-host-refused", .answer, rank: .world,
            when: [
                "DisallowedHost", "Invalid HTTP_HOST header", "Blocked host", "Blocked hosts", "This host (",
                "Invalid Host header", "Host not allowed", "host is not allowed", "Invalid hostname",
                "Untrusted Host", "Misdirected Request", "body: Bad Request (400)",
            ],
            says: "it refuses the host name that the probe asks with",
            [
                .init(
                    "name one that it allows in probe.host of kinto.json, or allow that of the probe (ALLOWED_HOSTS, config.hosts, allowedHosts)"
                )
            ]),
        Rule(
            code: "answer-https-redirect", .answer, rank: .world, when: ["^Location: https://"],
            says: "it sends everyone who comes by plain HTTP to HTTPS, the probe too",
            [
                .init(
                    "have it believe X-Forwarded-Proto (SECURE_PROXY_SSL_HEADER, trust proxy, assume_ssl), or leave the probe's path out of the redirect"
                ),
                .init("or let a redirect count: \"status\": \"200-399\" in probe of kinto.json"),
            ]),
        Rule(
            code: "answer-redirect", .answer, when: ["^Location: {word}"],
            says: "it sends the probe elsewhere, to {word}; a redirect is not followed",
            [
                .init("probe a path that answers directly (probe.path), or allow the status (probe.status)")
            ]),
        Rule(
            code: "answer-login", .answer,
            when: [
                "answered: HTTP/1.1 401", "answered: HTTP/1.0 401", "answered: HTTP/1.1 403",
                "answered: HTTP/1.0 403",
            ],
            says: "it wants a login, or forbids what the probe asks for",
            [.init("probe a path that is open to all (probe.path), as /healthz")]),
        Rule(
            code: "answer-not-found", .answer, when: ["answered: HTTP/1.1 404", "answered: HTTP/1.0 404"],
            says: "it has no page at the probe's path",
            [.init("correct probe.path in kinto.json, or remove it: a connection is enough then")]),
        Rule(
            code: "answer-method", .answer, when: ["answered: HTTP/1.1 405", "answered: HTTP/1.0 405"],
            says: "it does not answer GET at the probe's path",
            [.init("have it answer GET, or probe another path")]),
        Rule(
            code: "answer-error", .answer, rank: .likely,
            when: [
                "answered: HTTP/1.1 500", "answered: HTTP/1.0 500", "answered: HTTP/1.1 502",
                "answered: HTTP/1.0 502", "answered: HTTP/1.1 503", "answered: HTTP/1.0 503",
            ],
            says: "it answers with an error of its own",
            [.init("read what it printed", "kinto logs {SERVICE} --console --release {RELEASE}")]),
    ]
}
