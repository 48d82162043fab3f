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

    static let environment = Field.optional("env", .environment, "The environment; production.")
    static let ofBody = Field.optional("environment", .environment, "In the place of ?env=.")
    static let limit = Field.optional("limit", .integer(1...10_000), "At most so many; 100.")
    static let nothing: [Field] = []
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
