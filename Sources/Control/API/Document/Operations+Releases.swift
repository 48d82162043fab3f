// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

extension Operations {
    static let releases: [Operation] = [
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
                environment,
                .optional("to", .environment, "The environment whose live release is compared with."),
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
}
