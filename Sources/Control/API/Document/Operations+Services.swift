// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

extension Operations {
    static let services: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/services", access: .viewer,
            summary: "All services, each with its environments.",
            answers: [(200, .json(.list(.schema("Service"))))]),
        Operation(
            method: "POST", path: "/api/v1/services", access: .admin("service add"),
            summary: "Adds a service.",
            body: [
                .required("name", .name),
                .optional("repository", .text(2048), "An address or a path; else kinto hosts one."),
                .optional("branch", .text(255)), .optional("config", .text(4096)),
                .optional("provider", Schemas.providers), .optional("queue", Schemas.policies),
            ], answers: [(201, .json(.schema("Added")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}", access: .viewer,
            summary: "A service, by environment.",
            query: [environment], answers: [(200, .json(.list(.schema("Service"))))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/export", access: .admin,
            summary: "What a service is, to be imported elsewhere.",
            query: [environment, .optional("secrets", .flag, "With them: at the unix socket only.")],
            answers: [(200, .json(.schema("ServiceDocument")))], problems: [403]),
        Operation(
            method: "POST", path: "/api/v1/import", access: .admin("service import"),
            summary: "Registers an exported service.",
            body: [
                .required("service", .object(ServiceDocument.fields)),
                .optional("name", .name, "In the place of its own."),
                .optional("repository", .text(2048), "The same; empty: kinto hosts it."),
            ], answers: [(201, .json(.schema("Imported")))]),
        Operation(
            method: "PATCH", path: "/api/v1/services/{name}", access: .admin("service set"),
            summary: "Changes what is given.",
            query: [environment],
            body: [
                .optional("provider", Schemas.providers), .optional("missed", Schemas.missed),
                .optional("token", .text(4096)), .optional("username", .text(4096)),
                .optional("authorities", .text(256 << 10)), .optional("queue", Schemas.policies),
                .optional("submoduleHosts", .list(.text(300))),
                .optional(
                    "previews", .text(255), "Branches that get one: a pattern, or pull-requests; empty: none."
                ),
                .optional(
                    "previewLifetime", .integer(60_000...31_536_000_000), "Milliseconds after the last push."),
                .optional("previewMost", .integer(1...100), "So many at a time."),
                .optional(
                    "previewConfig", .text(63),
                    "An environment whose variables they get; empty: production's that are no secrets."),
                .optional(
                    "previewForks", .boolean, "Pull requests from forks get one, too, without any secrets."),
            ], answers: [(200, .json(.list(.schema("Service"))))]),
        Operation(
            method: "DELETE", path: "/api/v1/services/{name}", access: .admin("service remove"),
            summary: "Stops and forgets a service.",
            query: [environment], answers: [(204, .none)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/check", access: .deployer("service check"),

            summary: "Looks at the remote repository.", query: [environment], body: nothing,
            answers: [(200, .json(.schema("RemoteCheck")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/rename", access: .admin("service rename"),
            summary: "Another name, while it serves.", query: [environment],
            body: [.required("to", .name)], answers: [(200, .json(.schema("Renamed")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/rotate-secret", access: .admin("rotate-secret"),
            summary: "A new secret for webhooks.", query: [environment],
            body: [
                .optional("secret", .text(4096)),
                .optional(
                    "overlap", .integer(0...31_536_000_000),
                    "Milliseconds for which the old one signs, too; a day."),
            ], answers: [(200, .json(.schema("Rotated")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/config", access: .viewer,
            summary: "The variables.",
            query: [environment, .optional("reveal", .flag, "Secrets, too: at the unix socket only.")],
            answers: [(200, .json(.schema("Variables")))], problems: [403]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/config/diff", access: .viewer,
            summary: "Names of variables in which two environments differ.",
            query: [environment, .required("to", .environment, "The environment to compare with.")],
            answers: [
                (
                    200,
                    .json(
                        .object([
                            .required("differences", .list(.text), "Each after +, - (missing there) or ~.")
                        ]))
                )
            ]),
        Operation(
            method: "PATCH", path: "/api/v1/services/{name}/config", access: .deployer("config"),
            summary: "Sets and removes variables; what is live is released again with them.",
            query: [environment],
            body: [
                ofBody, .optional("set", .map(.text)), .optional("unset", .list(.text)),
                .optional("secret", .boolean),
            ], answers: [(200, .json(.schema("Configured")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/deliveries/replay", access: .deployer("replay"),

            summary: "Decides once more on a delivery.", query: [environment],
            body: [.required("delivery", .text(300))],
            answers: [(202, .json(.schema("Queued"))), (200, .json(.schema("Ignored")))]),
    ]
}
