// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// Everything that the TCP door answers but the dashboard: the routes, the document and the checks of requests are held
/// to this list.
enum Operations {
    static let all: [Operation] =
        doors + services + environments + releases + traffic + cron + server + access

    private static let byRoute = Dictionary(
        all.map { ("\($0.method) \($0.path)", $0) }, uniquingKeysWith: { first, _ in first })

    /// - Parameter path: with `{name}` for what varies.
    static func operation(_ method: String, _ path: String) -> Operation? { byRoute["\(method) \(path)"] }

    /// Every server checks it when it starts: a route that is not in the document, or the other way round, is seen by the first test.
    /// - Throws: `Failure` of code `internal`.
    static func require(_ list: RouteList) throws {
        if let route = list.withoutAccess.first {
            throw Failure(
                code: "internal", "nobody said who may ask for \(route.method) \(route.path)")
        }
        let routes = list.all
        let documented = Set(all.map { RouteList.Route(method: $0.method, path: $0.path) })
        let real = Set(routes.filter { $0.path.hasPrefix("/api/") || documented.contains($0) })
        guard real != documented else { return }
        let different = real.symmetricDifference(documented).map { "\($0.method) \($0.path)" }.sorted()
        throw Failure(
            code: "internal", "the document of the API is not true: \(different.joined(separator: ", "))")
    }

    static let environment = Field.optional("env", .name, "The environment; production.")
    static let ofBody = Field.optional("environment", .name, "In the place of ?env=.")
    static let limit = Field.optional("limit", .integer(1...10_000), "At most so many; 100.")
    private static let nothing: [Field] = []
    static let empty = Operation.Answer.json(.object([]))

    private static let doors: [Operation] = [
        Operation(
            method: "GET", path: "/healthz", access: .open,
            summary: "Whether the server answers.",
            answers: [(200, .text)]),
        Operation(
            method: "GET", path: "/metrics", access: .viewer,
            summary: "Figures in the text format of Prometheus.",
            answers: [(200, .text)]),
        Operation(
            method: "GET", path: "/api/v1/openapi.json", access: .open,
            summary: "This document.",
            answers: [(200, .document)]),
        Operation(
            method: "POST", path: "/hooks/{name}", access: .open,

            summary: "A forge's delivery, signed with the service's secret.",
            answers: [(202, .json(.schema("Queued"))), (200, .json(.schema("Ignored")))],
            problems: [400, 401, 408, 409, 413, 415, 429]),
    ]

    private static let services: [Operation] = [
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
                .optional("previews", .text(255), "Branches that get one: a pattern; empty: none."),
                .optional(
                    "previewLifetime", .integer(60_000...31_536_000_000), "Milliseconds after the last push."),
                .optional("previewMost", .integer(1...100), "So many at a time."),
                .optional(
                    "previewConfig", .text(63),
                    "An environment whose variables they get; empty: production's that are no secrets."),
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

    private static let environments: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/services/{name}/environments", access: .viewer,
            summary: "Where a service runs.",
            query: [environment], answers: [(200, .json(.list(.schema("Environment"))))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/environments", access: .admin("environment add"),
            summary: "Adds an environment.",
            query: [environment],
            body: [.required("environment", .name)] + ofEnvironment,
            answers: [(201, .json(.schema("Environment")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/environments/{environment}", access: .viewer,

            summary: "One environment.", query: [environment],
            answers: [(200, .json(.schema("Environment")))]),
        Operation(
            method: "PATCH", path: "/api/v1/services/{name}/environments/{environment}",
            access: .admin("environment set"),

            summary: "Changes what is given.", query: [environment], body: ofEnvironment,
            answers: [(200, .json(.schema("Environment")))]),
        Operation(
            method: "DELETE", path: "/api/v1/services/{name}/environments/{environment}",
            access: .admin("environment remove"),

            summary: "Stops and forgets an environment.", query: [environment], answers: [(204, .none)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/promote", access: .deployer("promote"),

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
            method: "GET", path: "/api/v1/services/{name}/releases", access: .viewer,
            summary: "Newest first.",
            query: [environment, limit], answers: [(200, .json(.list(.schema("Release"))))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/releases/{number}", access: .viewer,
            summary: "One release.",
            query: [environment], answers: [(200, .json(.schema("Release")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/releases/{number}/why", access: .viewer,

            summary: "Why it failed.", query: [environment], answers: [(200, .json(.schema("Why")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/why", access: .viewer,

            summary: "Why the last one that failed did so.", query: [environment],
            answers: [(200, .json(.schema("Why")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/diff", access: .viewer,
            summary: "What is live and its branch, two environments, or two releases: what differs.",
            query: [
                environment, .optional("to", .name, "The environment whose live release is compared with."),
                .optional("release", .integer, "A release, in the place of what is live."),
                .optional("against", .integer, "The release that it is compared with; what is live."),
            ], answers: [(200, .json(.schema("Comparison")))], problems: [409]),
        log("log", "What the deploy printed."),
        log(
            "console", "What an instance prints.",
            .optional("process", .text(67), "worker.2, or a type for its first; without: web.1.")),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/releases/{number}/pin", access: .deployer("pin"),

            summary: "Keeps its artifact.", query: [environment], body: nothing, answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/releases/{number}/unpin",
            access: .deployer("unpin"),

            summary: "Lets its artifact go when its time comes.", query: [environment], body: nothing,
            answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/deploy", access: .deployer("deploy"),

            summary: "Deploys the branch, or what is named.", query: [environment],
            body: [
                ofBody, .optional("ref", .text(300)), .optional("noCache", .boolean),
                .optional("force", .boolean),
                .optional("confirm", .text(300), "NAME/ENV, for an environment that is protected."),
            ],
            answers: [(202, .json(.schema("Deploy"))), (200, .json(.schema("Deploy")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/plan", access: .viewer,
            summary: "Says what such a deploy would do now; nothing is queued or changed.",
            query: [environment],
            body: [
                ofBody, .optional("ref", .text(300)), .optional("noCache", .boolean),
                .optional("force", .boolean), .optional("confirm", .text(300)),
            ], answers: [(200, .json(.schema("Plan")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/abort", access: .deployer("abort"),
            summary: "Ends what is on its way, before its swap.", query: [environment],
            body: [ofBody, .optional("number", .integer)], answers: [(200, .json(.schema("Release")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/rollback", access: .deployer("rollback"),

            summary: "Makes an earlier release live again.", query: [environment],
            body: [ofBody, .optional("number", .integer), .optional("currentConfig", .boolean)],
            answers: [(202, .json(.schema("Rollback")))]),
        Operation(
            method: "GET", path: "/api/v1/events", access: .viewer,
            summary: "What changes, as it does.",
            query: [.optional("service", .name, "Of one service only.")], answers: [(200, .events)]),
    ]

    private static func log(_ name: String, _ summary: String, _ more: Field...) -> Operation {
        Operation(
            method: "GET", path: "/api/v1/services/{name}/releases/{number}/\(name)", access: .viewer,
            summary: summary, query: ofLog + more, answers: [(200, .log)])
    }

    /// How much of a log, and how.
    static let ofLog: [Field] = [
        environment, .optional("follow", .flag, "Goes on until it is over."),
        .optional("tail", .integer(0...1_000_000), "The last lines only; as plain text."),
        .optional("times", .flag), .optional("terminal", .flag, "With colours."),
    ]

    private static let traffic: [Operation] = [
        Operation(
            method: "POST", path: "/api/v1/services/{name}/suspend", access: .deployer("suspend"),
            summary: "Stops what is live.",
            query: [environment], body: [ofBody], answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/resume", access: .deployer("resume"),

            summary: "Lets requests in, or brings back what was suspended.", query: [environment],
            body: [ofBody], answers: [(202, .json(.schema("Release"))), (200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/pause", access: .deployer("pause"),
            summary: "Lets requests wait.",
            query: [environment], body: [ofBody], answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/maintenance", access: .deployer("maintenance"),

            summary: "Answers 503 in the service's place.", query: [environment],
            body: [
                ofBody, .optional("on", .boolean), .optional("page", .text(256 << 10), "HTML."),
                .optional("allow", .list(.text(100)), "Addresses and blocks that are let through."),
                .optional("retryAfter", .integer(0...31_536_000), "Seconds."),
            ], answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/scale", access: .deployer("scale"),
            summary: "The number of instances.",
            query: [environment],
            body: [
                ofBody, .optional("instances", .integer(0...100), "Of web; 0: as kinto.json says."),
                .optional("processes", .map(.integer(0...100)), "By type: { \"worker\": 2 }."),
                .optional("reset", .list(.text(63)), "Types that run as kinto.json says again."),
            ],
            answers: [
                (
                    200,
                    .json(
                        .object([
                            .required("instances", .integer, "Of web."),
                            .required("processes", .map(.integer)),
                        ]))
                )
            ]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/run", access: .admin("run"),
            summary: "Runs a command in a release; over the server's unix socket only.", query: [environment],
            body: [
                ofBody, .optional("release", .integer, "What is live."),
                .required(
                    "command", .list(.text(64 << 10)), "One: a line for the shell. More: a program's words."),
                .optional("terminal", .text(64), "TERM of a terminal that is handed over."),
                .optional("detach", .boolean, "Without anybody: it prints to a log."),
            ],
            answers: [
                (
                    201,
                    .json(
                        .object([
                            .required("run", .schema("Run")),
                            .optional("socket", .text, "Where its input and output are handed over."),
                        ]))
                )
            ]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/run/stop", access: .admin("run stop"),
            summary: "Ends a command that runs.",
            query: [environment], body: [ofBody, .required("run", .text(30), "run.7")],
            answers: [(200, empty)]),
        Operation(
            method: "POST", path: "/api/v1/proxy/restart", access: .admin("proxy restart"),
            summary: "Replaces the proxy.",
            body: [.optional("drain", .integer(0...86_400_000), "Milliseconds.")],
            answers: [(200, .json(.schema("Proxy")))]),
    ]

    private static let server: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/status", access: .viewer,
            summary: "The state of the whole.",
            query: [.optional("service", .name)], answers: [(200, .json(.schema("Status")))]),
        Operation(
            method: "GET", path: "/api/v1/overview", access: .viewer,
            summary: "All services at one glance, with requests, memory and what is on its way.",
            answers: [(200, .json(.schema("Overview")))]),
        Operation(
            method: "GET", path: "/api/v1/doctor", access: .viewer,
            summary: "What is well, and what is not.",
            answers: [(200, .json(.list(.schema("Finding"))))]),
        Operation(
            method: "GET", path: "/api/v1/deliveries", access: .viewer,
            summary: "What forges sent, newest first.",
            query: [.optional("service", .name), limit],
            answers: [(200, .json(.list(.schema("Delivery"))))]),
        Operation(
            method: "GET", path: "/api/v1/certificates", access: .viewer,
            summary: "Those of the proxy.",
            answers: [(200, .json(.list(.schema("Certificate"))))]),
        Operation(
            method: "PUT", path: "/api/v1/certificates/{name}", access: .admin("certificate add"),
            summary: "Puts a certificate in force.",
            body: [
                .optional("chain", .text(1 << 18), "PEM, with 'key'."), .optional("key", .text(1 << 18)),
                .optional("folder", .text(4096), "On the server, in the place of both."),
            ], answers: [(201, .json(.schema("Certificate")))]),
        Operation(
            method: "DELETE", path: "/api/v1/certificates/{name}", access: .admin("certificate remove"),
            summary: "Takes one away.",
            answers: [(204, .none)]),
        Operation(
            method: "GET", path: "/api/v1/reports", access: .admin,
            summary: "Who is told of releases.",
            answers: [(200, .json(.list(.schema("Report"))))]),
        Operation(
            method: "POST", path: "/api/v1/reports", access: .admin("report add"),
            summary: "Tells one more.",
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
            method: "DELETE", path: "/api/v1/reports/{id}", access: .admin("report remove"),
            summary: "Tells one less.",
            answers: [(204, .none)]),
        Operation(
            method: "POST", path: "/api/v1/prune", access: .admin("prune"),
            summary: "Gives back what is not needed any more.",
            body: [
                .optional("service", .name), .optional("keep", .integer(1...10_000)),
                .optional("dryRun", .boolean),
            ], answers: [(200, .json(.schema("Freed")))]),
        Operation(
            method: "POST", path: "/api/v1/secret-key/rotate", access: .admin("secret-key rotate"),

            summary: "A new key for the secrets: at the unix socket only.", body: nothing,
            answers: [(200, empty)], problems: [403]),
    ]
}
