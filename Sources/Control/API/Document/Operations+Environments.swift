// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

extension Operations {
    static let environments: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/services/{name}/environments", access: .viewer,
            summary: "Where a service runs.",
            query: [environment], answers: [(200, .json(.list(.schema("Environment"))))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/environments", access: .admin("environment add"),
            summary: "Adds an environment.",
            query: [environment],
            body: [.required("environment", .environment)] + ofEnvironment,
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
                .required("from", .environment), .required("to", .environment),
                .optional("dryRun", .boolean, "Says only what would be done."),
            ],
            answers: [(202, .json(.schema("Promotion"))), (200, .json(.schema("Promotion")))]),
    ]

    private static let ofEnvironment: [Field] = [
        .optional("branch", .text(255), "A branch, a pattern, or tags/PATTERN; the environment's name."),
        .optional("autoDeploy", .boolean, "Pushes deploy it; true."),
        .optional("protect", .boolean, "Deploys want a promotion, or a name typed; false."),
    ]
}
