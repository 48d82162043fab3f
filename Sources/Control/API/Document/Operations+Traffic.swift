// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

extension Operations {
    static let traffic: [Operation] = [
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
}
