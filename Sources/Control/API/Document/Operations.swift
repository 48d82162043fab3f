// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// Everything that the TCP door answers but the dashboard: the routes, the document and the checks of requests are held
/// to this list.
enum Operations {
    static let all: [Operation] = doors + services + environments + releases + traffic + server

    /// Every server checks it when it starts: a route that is not in the document, or the other way round, is seen by the first test.
    /// - Throws: `Failure` of code `internal`.
    static func require(_ routes: [RouteList.Route]) throws {
        let documented = Set(all.map { RouteList.Route(method: $0.method, path: $0.path) })
        let real = Set(routes.filter { $0.path.hasPrefix("/api/") || documented.contains($0) })
        guard real != documented else { return }
        let different = real.symmetricDifference(documented).map { "\($0.method) \($0.path)" }.sorted()
        throw Failure(
            code: "internal", "the document of the API is not true: \(different.joined(separator: ", "))")
    }

    private static let environment = Field.optional("env", .name, "The environment; production.")
    private static let ofBody = Field.optional("environment", .name, "In the place of ?env=.")
    private static let limit = Field.optional("limit", .integer(1...10_000), "At most so many; 100.")
    private static let nothing: [Field] = []
    private static let empty = Operation.Answer.json(.object([]))

    private static let doors: [Operation] = [
        Operation(
            method: "GET", path: "/healthz", summary: "Whether the server answers.",
            answers: [(200, .text)], isOpen: true),
        Operation(
            method: "GET", path: "/metrics", summary: "Figures in the text format of Prometheus.",
            answers: [(200, .text)]),
        Operation(
            method: "GET", path: "/api/v1/openapi.json", summary: "This document.",
            answers: [(200, .document)], isOpen: true),
        Operation(
            method: "POST", path: "/hooks/{name}",
            summary: "A forge's delivery, signed with the service's secret.",
            answers: [(202, .json(.schema("Queued"))), (200, .json(.schema("Ignored")))],
            problems: [400, 401, 408, 409, 413, 415, 429], isOpen: true),
    ]

    private static let services: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/services", summary: "All services, each with its environments.",
            answers: [(200, .json(.list(.schema("Service"))))]),
        Operation(
            method: "POST", path: "/api/v1/services", summary: "Adds a service.",
            body: [
                .required("name", .name),
                .optional("repository", .text(2048), "An address or a path; else kinto hosts one."),
                .optional("branch", .text(255)), .optional("config", .text(4096)),
                .optional("provider", Schemas.providers), .optional("queue", Schemas.policies),
            ], answers: [(201, .json(.schema("Added")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}", summary: "A service, by environment.",
            query: [environment], answers: [(200, .json(.list(.schema("Service"))))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/export",
            summary: "What a service is, to be imported elsewhere.",
            query: [environment, .optional("secrets", .flag, "With them: at the unix socket only.")],
            answers: [(200, .json(.schema("ServiceDocument")))], problems: [403]),
        Operation(
            method: "POST", path: "/api/v1/import", summary: "Registers an exported service.",
            body: [
                .required("service", .object(ServiceDocument.fields)),
                .optional("name", .name, "In the place of its own."),
                .optional("repository", .text(2048), "The same; empty: kinto hosts it."),
            ], answers: [(201, .json(.schema("Imported")))]),
        Operation(
            method: "PATCH", path: "/api/v1/services/{name}", summary: "Changes what is given.",
            query: [environment],
            body: [
                .optional("provider", Schemas.providers), .optional("missed", Schemas.missed),
                .optional("token", .text(4096)), .optional("username", .text(4096)),
                .optional("authorities", .text(256 << 10)), .optional("queue", Schemas.policies),
                .optional("submoduleHosts", .list(.text(300))),
            ], answers: [(200, .json(.list(.schema("Service"))))]),
        Operation(
            method: "DELETE", path: "/api/v1/services/{name}", summary: "Stops and forgets a service.",
            query: [environment], answers: [(204, .none)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/check",
            summary: "Looks at the remote repository.", query: [environment], body: nothing,
            answers: [(200, .json(.schema("RemoteCheck")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/rename",
            summary: "Another name, while it serves.", query: [environment],
            body: [.required("to", .name)], answers: [(200, .json(.schema("Renamed")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/rotate-secret",
            summary: "A new secret for webhooks.", query: [environment],
            body: [
                .optional("secret", .text(4096)),
                .optional(
                    "overlap", .integer(0...31_536_000_000),
                    "Milliseconds for which the old one signs, too; a day."),
            ], answers: [(200, .json(.schema("Rotated")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/config", summary: "The variables.",
            query: [environment, .optional("reveal", .flag, "Secrets, too: at the unix socket only.")],
            answers: [(200, .json(.schema("Variables")))], problems: [403]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/config/diff",
            summary: "Names of variables in which two environments differ.",
            query: [environment, .required("to", .name, "The environment to compare with.")],
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
            method: "PATCH", path: "/api/v1/services/{name}/config",
            summary: "Sets and removes variables; what is live is released again with them.",
            query: [environment],
            body: [
                ofBody, .optional("set", .map(.text)), .optional("unset", .list(.text)),
                .optional("secret", .boolean),
            ], answers: [(200, .json(.schema("Configured")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/deliveries/replay",
            summary: "Decides once more on a delivery.", query: [environment],
            body: [.required("delivery", .text(300))],
            answers: [(202, .json(.schema("Queued"))), (200, .json(.schema("Ignored")))]),
    ]

    private static let environments: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/services/{name}/environments", summary: "Where a service runs.",
            query: [environment], answers: [(200, .json(.list(.schema("Environment"))))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/environments", summary: "Adds an environment.",
            query: [environment],
            body: [.required("environment", .name)] + ofEnvironment,
            answers: [(201, .json(.schema("Environment")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/environments/{environment}",
            summary: "One environment.", query: [environment],
            answers: [(200, .json(.schema("Environment")))]),
        Operation(
            method: "PATCH", path: "/api/v1/services/{name}/environments/{environment}",
            summary: "Changes what is given.", query: [environment], body: ofEnvironment,
            answers: [(200, .json(.schema("Environment")))]),
        Operation(
            method: "DELETE", path: "/api/v1/services/{name}/environments/{environment}",
            summary: "Stops and forgets an environment.", query: [environment], answers: [(204, .none)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/promote",
            summary: "Releases the artifact that is live in one environment in another, without a build.",
            query: [environment],
            body: [
                .required("from", .name), .required("to", .name),
                .optional("dryRun", .boolean, "Says only what would be done."),
            ],
            answers: [(202, .json(.schema("Promotion"))), (200, .json(.schema("Promotion")))]),
    ]

    private static let ofEnvironment: [Field] = [
        .optional("branch", .text(255), "A branch, a pattern, or tags/PATTERN; the environment's name."),
        .optional("autoDeploy", .boolean, "Pushes deploy it; true."),
        .optional("protect", .boolean, "Deploys want a promotion, or a name typed; false."),
    ]

    private static let releases: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/services/{name}/releases", summary: "Newest first.",
            query: [environment, limit], answers: [(200, .json(.list(.schema("Release"))))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/releases/{number}", summary: "One release.",
            query: [environment], answers: [(200, .json(.schema("Release")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/releases/{number}/why",
            summary: "Why it failed.", query: [environment], answers: [(200, .json(.schema("Why")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/why",
            summary: "Why the last one that failed did so.", query: [environment],
            answers: [(200, .json(.schema("Why")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/diff",
            summary: "What is live and its branch, two environments, or two releases: what differs.",
            query: [
                environment, .optional("to", .name, "The environment whose live release is compared with."),
                .optional("release", .integer, "A release, in the place of what is live."),
                .optional("against", .integer, "The release that it is compared with; what is live."),
            ], answers: [(200, .json(.schema("Comparison")))], problems: [409]),
        log("log", "What the deploy printed."), log("console", "What the service prints."),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/releases/{number}/pin",
            summary: "Keeps its artifact.", query: [environment], body: nothing, answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/releases/{number}/unpin",
            summary: "Lets its artifact go when its time comes.", query: [environment], body: nothing,
            answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/deploy",
            summary: "Deploys the branch, or what is named.", query: [environment],
            body: [
                ofBody, .optional("ref", .text(300)), .optional("noCache", .boolean),
                .optional("force", .boolean),
                .optional("confirm", .text(300), "NAME/ENV, for an environment that is protected."),
            ],
            answers: [(202, .json(.schema("Deploy"))), (200, .json(.schema("Deploy")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/abort",
            summary: "Ends what is on its way, before its swap.", query: [environment],
            body: [ofBody, .optional("number", .integer)], answers: [(200, .json(.schema("Release")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/rollback",
            summary: "Makes an earlier release live again.", query: [environment],
            body: [ofBody, .optional("number", .integer), .optional("currentConfig", .boolean)],
            answers: [(202, .json(.schema("Rollback")))]),
        Operation(
            method: "GET", path: "/api/v1/events", summary: "What changes, as it does.",
            query: [.optional("service", .name, "Of one service only.")], answers: [(200, .events)]),
    ]

    private static func log(_ name: String, _ summary: String) -> Operation {
        Operation(
            method: "GET", path: "/api/v1/services/{name}/releases/{number}/\(name)", summary: summary,
            query: [
                environment, .optional("follow", .flag, "Goes on until it is over."),
                .optional("tail", .integer(0...1_000_000), "The last lines only; as plain text."),
                .optional("times", .flag), .optional("terminal", .flag, "With colours."),
            ], answers: [(200, .log)])
    }

    private static let traffic: [Operation] = [
        Operation(
            method: "POST", path: "/api/v1/services/{name}/suspend", summary: "Stops what is live.",
            query: [environment], body: [ofBody], answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/resume",
            summary: "Lets requests in, or brings back what was suspended.", query: [environment],
            body: [ofBody], answers: [(202, .json(.schema("Release"))), (200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/pause", summary: "Lets requests wait.",
            query: [environment], body: [ofBody], answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/maintenance",
            summary: "Answers 503 in the service's place.", query: [environment],
            body: [
                ofBody, .optional("on", .boolean), .optional("page", .text(256 << 10), "HTML."),
                .optional("allow", .list(.text(100)), "Addresses and blocks that are let through."),
                .optional("retryAfter", .integer(0...31_536_000), "Seconds."),
            ], answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/scale", summary: "The number of instances.",
            query: [environment],
            body: [ofBody, .optional("instances", .integer(0...100), "0: as kinto.json says.")],
            answers: [(200, .json(.object([.required("instances", .integer)])))]),
        Operation(
            method: "POST", path: "/api/v1/proxy/restart", summary: "Replaces the proxy.",
            body: [.optional("drain", .integer(0...86_400_000), "Milliseconds.")],
            answers: [(200, .json(.schema("Proxy")))]),
    ]

    private static let server: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/status", summary: "The state of the whole.",
            query: [.optional("service", .name)], answers: [(200, .json(.schema("Status")))]),
        Operation(
            method: "GET", path: "/api/v1/doctor", summary: "What is well, and what is not.",
            answers: [(200, .json(.list(.schema("Finding"))))]),
        Operation(
            method: "GET", path: "/api/v1/deliveries", summary: "What forges sent, newest first.",
            query: [.optional("service", .name), limit],
            answers: [(200, .json(.list(.schema("Delivery"))))]),
        Operation(
            method: "GET", path: "/api/v1/certificates", summary: "Those of the proxy.",
            answers: [(200, .json(.list(.schema("Certificate"))))]),
        Operation(
            method: "PUT", path: "/api/v1/certificates/{name}", summary: "Puts a certificate in force.",
            body: [
                .optional("chain", .text(1 << 18), "PEM, with 'key'."), .optional("key", .text(1 << 18)),
                .optional("folder", .text(4096), "On the server, in the place of both."),
            ], answers: [(201, .json(.schema("Certificate")))]),
        Operation(
            method: "DELETE", path: "/api/v1/certificates/{name}", summary: "Takes one away.",
            answers: [(204, .none)]),
        Operation(
            method: "GET", path: "/api/v1/reports", summary: "Who is told of releases.",
            answers: [(200, .json(.list(.schema("Report"))))]),
        Operation(
            method: "POST", path: "/api/v1/reports", summary: "Tells one more.",
            body: [
                .optional("service", .name, "nil: of all."),
                .required("kind", .choice(["status", "webhook", "slack", "mail"])),
                .optional("url", .text(2048)), .optional("secret", .text(4096)),
                .optional(
                    "mail",
                    .object([
                        .required("from", .text(300)), .required("to", .list(.text(300))),
                        .optional("user", .text(4096)), .optional("authorities", .text(256 << 10)),
                        .optional("plaintext", .boolean),
                    ])),
            ], answers: [(201, .json(.object([.required("id", .bytes)])))]),
        Operation(
            method: "DELETE", path: "/api/v1/reports/{id}", summary: "Tells one less.",
            answers: [(204, .none)]),
        Operation(
            method: "POST", path: "/api/v1/prune", summary: "Gives back what is not needed any more.",
            body: [
                .optional("service", .name), .optional("keep", .integer(1...10_000)),
                .optional("dryRun", .boolean),
            ], answers: [(200, .json(.schema("Freed")))]),
        Operation(
            method: "POST", path: "/api/v1/tokens", summary: "Makes a token, which is shown this once.",
            body: [.optional("name", .text(300))],
            answers: [(201, .json(.object([.required("token", .text)])))]),
        Operation(
            method: "POST", path: "/api/v1/secret-key/rotate",
            summary: "A new key for the secrets: at the unix socket only.", body: nothing,
            answers: [(200, empty)], problems: [403]),
    ]
}
