// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

extension Operations {
    private static let roles = Shape.choice(Role.allCases.map(\.rawValue))

    /// Users, tokens and the audit log.
    static let access: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/tokens", access: .admin, summary: "Tokens, without what they are.",
            answers: [(200, .json(.list(.schema("Token"))))]),
        Operation(
            method: "POST", path: "/api/v1/tokens", access: .admin("token add"),
            summary: "Makes a token, which is shown this once.",
            body: [
                .optional("name", .text(64), "Without: the next of token, token-2 … that is free."),
                .optional("role", roles, "admin"),
            ], answers: [(201, .json(.schema("NewToken")))]),
        Operation(
            method: "DELETE", path: "/api/v1/tokens/{name}", access: .admin("token remove"),
            summary: "Ends a token, its sessions and its streams.", answers: [(204, .none)]),
        Operation(
            method: "GET", path: "/api/v1/users", access: .admin, summary: "Who signs in with a password.",
            answers: [(200, .json(.list(.schema("User"))))]),
        Operation(
            method: "POST", path: "/api/v1/users", access: .admin("user add"), summary: "Adds a user.",
            body: [
                .required("name", .text(64)), .required("role", roles),
                .required("password", .text(1024), "At least 12 characters."),
            ], answers: [(201, .json(.schema("User")))]),
        Operation(
            method: "PATCH", path: "/api/v1/users/{name}", access: .admin("user set"),
            summary: "Changes what is given; sessions and streams of before end.",
            body: [.optional("role", roles), .optional("password", .text(1024))],
            answers: [(200, .json(.schema("User")))]),
        Operation(
            method: "DELETE", path: "/api/v1/users/{name}", access: .admin("user remove"),
            summary: "Removes a user; its sessions and streams end.", answers: [(204, .none)]),
        Operation(
            method: "GET", path: "/api/v1/audit", access: .admin, summary: "Who did what, newest first.",
            query: [
                .optional("service", .name), .optional("who", .text(100)), limit,
                .optional("before", .bytes, "The id of the last one that was seen."),
            ], answers: [(200, .json(.list(.schema("AuditEntry"))))]),
    ]
}

extension Schemas {
    private static let roles = Shape.choice(Role.allCases.map(\.rawValue))

    static let access: [(name: String, fields: [Field])] = [
        (
            "Token",
            [
                .required("name", .text), .required("role", roles), .required("createdAt", .time),
                .optional("lastUsedAt", .time, "To the minute."),
            ]
        ),
        ("NewToken", [.required("name", .text), .required("role", roles), .required("token", .text)]),
        (
            "User",
            [
                .required("name", .text), .required("role", roles), .required("createdAt", .time),
                .optional("lastSignInAt", .time),
            ]
        ),
        (
            "AuditEntry",
            [
                .required("id", .bytes), .required("at", .time), .required("who", .text),
                .optional("role", roles), .required("door", .choice(Door.allCases.map(\.rawValue))),
                .required("action", .text), .optional("service", .text), .required("target", .text),
                .required("what", .text),
                .required("result", .text, "done, begun (or cut short), or the code of its failure."),
            ]
        ),
    ]
}
