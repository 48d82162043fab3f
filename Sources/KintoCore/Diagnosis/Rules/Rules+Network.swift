// SPDX-License-Identifier: Apache-2.0

extension Rule {
    /// Ports, names, connections, repositories.
    static let network: [Rule] = [
        Rule(
            code: "port-in-use", .console,
            when: [
                "EADDRINUSE: address already in use {text}:{port}", "bind: address already in use",
                "Address already in use",
                "EADDRINUSE", "Address in use", "port {port} was already in use",
                "Port {port} is already in use",
                "port {port} is in use", "Connection in use:", "error while attempting to bind on address",
            ],
            says: "it listens on a port that another program has, and not on the one in PORT ({PORT})",
            [
                .init("have it read PORT, or pass it on in 'start' as $PORT")
            ]),
        Rule(
            code: "port-privileged", .console,
            when: [
                "listen EACCES: permission denied {text}", "bind: permission denied",
                "bind() to {text} failed (13", "Permission denied - bind(2)",
            ],
            says: "it listens on a port that only root may have, and not on the one in PORT ({PORT})",
            [
                .init("have it read PORT, or pass it on in 'start' as $PORT")
            ]),
        Rule(
            code: "address-not-here", .console,
            when: ["EADDRNOTAVAIL", "Cannot assign requested address", "Can't assign requested address"],
            says: "it listens on an address that this host does not have",
            [.init("have it listen on $HOST (127.0.0.1)")]),
        Rule(
            code: "git-auth", .command,
            when: [
                "fatal: could not read Username for '{text}'", "fatal: Authentication failed for '{text}'",
                "Permission denied (publickey",
                "terminal prompts disabled", "remote: Invalid username or token",
            ],
            says: "the build fetches from a repository that does not let it in",
            [
                .init(
                    "give the build a token as a secret, and have git use it (url.….insteadOf), or vendor what it needs"
                ),
                .init("set one", "kinto config {SERVICE} set --secret GIT_TOKEN=…"),
            ]),
        Rule(
            code: "git-host-key", .command,
            when: ["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"],
            says: "the build fetches over ssh from a host whose key is not known, or another one",
            [.init("add the host's published key to known_hosts of the user that builds")]),
        Rule(
            code: "git-missing", .command,
            when: [
                "fatal: repository '{text}' not found", "Repository not found",
                "does not appear to be a git repository",
            ],
            says: "the build fetches from a repository that is not there, or that it may not see",
            [.init("check the address; private repositories look absent without credentials")]),
        Rule(
            code: "git-not-a-clone", .command, when: ["fatal: not a git repository"],
            says: "the build asks git, and a release's checkout has no .git",
            [.init("take the commit from KINTO_COMMIT instead of git rev-parse")]),
        Rule(
            code: "dns", rank: .cause,
            when: [
                "getaddrinfo ENOTFOUND {word}", "getaddrinfo EAI_AGAIN {word}",
                "Could not resolve host: {word}", "Could not resolve hostname {word}:",
                "could not translate host name \"{word}\"", "dial tcp: lookup {word}",
                "Failed to establish a new connection: [Errno -{text}",
                "Temporary failure in name resolution", "Name or service not known",
                "nodename nor servname provided",
                "getaddrinfo: Name", "UnknownHostException: {word}", "failed to lookup address information",
                "php_network_getaddresses",
            ],
            says: "a host's name cannot be resolved",
            [
                .init("check the name in the configuration", "kinto config {SERVICE} list"),
                .init("see whether this host's name servers answer: getent hosts NAME"),
            ]),
        Rule(
            code: "tls-untrusted",
            when: [
                "CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "self-signed certificate",
                "self signed certificate",
                "unable to get local issuer certificate", "x509: certificate", "PKIX path building failed",
                "certificate has expired",
                "server certificate verification failed", "SSL certificate problem: {text}",
            ],
            says: "a server's certificate is not trusted",
            [.init("install ca-certificates on this host, or the authority that signed it")]),
        Rule(
            code: "rate-limited", .command, rank: .likely,
            when: ["429 Too Many Requests", "toomanyrequests", "API rate limit exceeded"],
            says: "a server refuses because it was asked too often",
            [.init("deploy again later", "kinto deploy {SERVICE}")]),
        Rule(
            code: "connection-refused", .output, rank: .likely,
            when: [
                "ECONNREFUSED {word}", "ConnectionRefusedError: {text}", "connect: connection refused",
                "Connection refused",
                "could not connect to server", "Failed to connect to {word} port",
                "Can't connect to MySQL server on '{word}'",
                "Can't connect to local MySQL server",
                "ECONNREFUSED", "ServerSelectionTimeoutError", "MongoNetworkError",
                "Error connecting to Redis", "SQLSTATE[HY000] [2002]",
            ],
            says: "a server that it needs does not accept connections",
            [
                .init("see whether it runs and listens, and check its address", "kinto config {SERVICE} list")
            ]),
        Rule(
            code: "connection-timeout", .output, rank: .likely,
            when: [
                "ETIMEDOUT", "Connection timed out", "i/o timeout", "Read timed out", "ESOCKETTIMEDOUT",
                "network timeout at", "ERR_SOCKET_TIMEOUT",
                "ConnectTimeoutError", "Network is unreachable", "ENETUNREACH", "No route to host",
                "EHOSTUNREACH",
            ],
            says: "a server does not answer, or cannot be reached from this host",
            [
                .init(
                    "see whether a firewall or proxy is between, and deploy again", "kinto deploy {SERVICE}")
            ]),
    ]
}
