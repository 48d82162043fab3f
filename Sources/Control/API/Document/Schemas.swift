// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// What answers are made of, by name.
enum Schemas {
    static let all: [(name: String, fields: [Field])] =
        problems + releases + services + traffic + overview + others + access

    static let providers = Shape.choice([
        "github", "gitlab", "gitea", "forgejo", "gogs", "bitbucket", "bitbucket-server", "generic",
    ])
    static let policies = Shape.choice(["wait", "cancel", "every"])
    static let missed = Shape.choice(["deploy", "warn", "off"])
    static let statuses = Shape.choice(Release.Status.allCases.map(\.rawValue))
    static let stages = Shape.choice(Stage.allCases.map(\.rawValue))
    static let any = Shape.integer(Int(Int32.min)...Int(Int32.max))

    private static let problems: [(name: String, fields: [Field])] = [
        (
            "Problem",
            [
                .required("type", .text), .required("title", .text),
                .required("status", .integer(400...599)),
                .required("detail", .text, "What happened, in a sentence."),
                .required("code", .text, "Stable; docs/failures.md lists them."),
                .required("hints", .list(.schema("Hint"))), .required("evidence", .list(.text)),
            ]
        ),
        ("Hint", [.required("text", .text), .optional("command", .text)]),
        ("Cause", [.required("code", .text), .required("message", .text)]),
        (
            "Failure",
            [
                .optional("stage", stages), .required("code", .text), .required("message", .text),
                .optional("cause", .schema("Cause")), .required("evidence", .list(.text)),
                .required("hints", .list(.schema("Hint"))),
            ]
        ),
        (
            "Why",
            [
                .required("service", .name), .required("environment", .name), .required("number", .integer),
                .required("status", statuses), .optional("stage", stages), .optional("code", .text),
                .optional("message", .text), .optional("cause", .schema("Cause")),
                .required("evidence", .list(.text)), .required("hints", .list(.schema("Hint"))),
                .required("slow", .list(.text), "Stages that took much longer than usual, in words."),
                .required("warnings", .list(.schema("Warning")), "What was said before its build."),
            ]
        ),
        (
            "Warning",
            [
                .required("code", .text), .required("message", .text), .required("evidence", .list(.text)),
                .optional("hint", .schema("Hint")),
            ]
        ),
    ]

    private static let traffic: [(name: String, fields: [Field])] = [
        (
            "Status",
            [
                .required("version", .text), .required("home", .text), .required("listen", .text),
                .optional("storage", .schema("Storage")), .required("proxy", .schema("ProxyStatus")),
                .required("isolation", .map(.text)), .required("spool", .schema("Spool")),
                .required("services", .list(.schema("Service"))),
            ]
        ),
        (
            "Storage",
            [
                "home", "database", "artifacts", "logs", "caches", "repositories", "workspaces", "free",
                "freeFiles",
            ].map { .required($0, .number) } + [.required("measuredAt", .time)]
        ),
        (
            "ProxyStatus",
            [
                .optional("pid", .integer), .optional("supervisor", .integer), .optional("listen", .text),
                .optional("tlsListen", .text), .required("certificates", .list(.schema("Certificate"))),
                .optional("name", .text),
            ]
        ),
        (
            "Proxy",
            [
                .required("pid", .integer), .optional("supervisor", .integer), .required("listen", .text),
                .optional("tlsListen", .text), .required("version", .text),
            ]
        ),
        (
            "Spool",
            [
                .required("waiting", .integer), .required("setAside", .list(.text)),
                .required("directory", .text),
            ]
        ),
        (
            "Certificate",
            [
                .required("name", .text), .required("hosts", .list(.text)), .optional("expiresAt", .time),
                .optional("daysLeft", any), .optional("problem", .text),
            ]
        ),
        (
            "Finding",
            [
                .required("what", .text), .required("isWell", .boolean), .required("detail", .text),
                .optional("fix", .text),
            ]
        ),
    ]

    private static let others: [(name: String, fields: [Field])] = [
        ("Variables", [.required("variables", .list(.schema("Variable")))]),
        (
            "Variable",
            [
                .required("name", .text), .optional("value", .text, "Missing: a secret."),
                .required("secret", .boolean),
            ]
        ),
        ("Configured", [.optional("release", .schema("Release"))]),
        (
            "Report",
            [
                .required("id", .bytes), .optional("service", .name),
                .required("kind", .choice(["status", "webhook", "slack", "mail"])), .required("url", .text),
                .optional("mail", .schema("Mail")), .optional("problem", .text),
                .required("waiting", .integer),
            ]
        ),
        (
            "Mail",
            [
                .required("from", .text), .required("to", .list(.text)), .optional("user", .text),
                .required("plaintext", .boolean),
            ]
        ),
        (
            "Freed",
            [
                .required("items", .list(.schema("FreedItem"))), .required("records", .integer),
                .required("bytes", .bytes),
            ]
        ),
        (
            "FreedItem",
            [.required("kind", .text), .required("name", .text), .required("bytes", .bytes)]
        ),
    ]
}
