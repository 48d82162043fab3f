// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Hummingbird
internal import KintoCore
internal import Wire

/// `/tokens`, `/users` and `/audit`.
struct AccessRoutes: Sendable {
    let actions: Actions

    private struct Ask: Decodable {
        let name: String?
        let role: Role?
        let password: String?
    }

    private struct NewToken: Encodable {
        let name: String
        let role: Role
        let token: String
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let (accounts, store) = (actions.accounts, actions.store)
        api.get("/tokens") { _, _ in try await store.tokens().map(TokenJSON.init).json() }
        api.post("/tokens") { request, context in
            let ask = try await request.decoded(Ask.self)
            let role = ask.role ?? .admin
            let (name, token) = try await accounts.addToken(ask.name.map { try AccountName($0) }, role)
            context.note.about(name)
            return try NewToken(name: name, role: role, token: token).json(.created)
        }
        api.delete("/tokens/:name") { _, context in
            let name = try AccessRoutes.name(context)
            context.note.about(name)
            try await accounts.removeToken(name)
            return Response(status: .noContent)
        }
        api.get("/users") { _, _ in try await store.users().map(UserJSON.init).json() }
        api.post("/users") { request, context in
            let ask = try await request.decoded(Ask.self)
            let name = try AccountName(ask.name ?? "")
            context.note.about(name.description)
            try await accounts.addUser(name, ask.role ?? .viewer, password: ask.password ?? "")
            guard let user = try await store.user(name.description) else {
                throw Failure(code: "unknown-account", "the user is gone again")
            }
            return try UserJSON(user).json(.created)
        }
        api.patch("/users/:name") { request, context in
            let ask = try await request.decoded(Ask.self)
            let name = try AccessRoutes.name(context)
            context.note.about(name)
            let user = try await accounts.changeUser(name, role: ask.role, password: ask.password)
            return try UserJSON(user).json()
        }
        api.delete("/users/:name") { _, context in
            let name = try AccessRoutes.name(context)
            context.note.about(name)
            try await accounts.removeUser(name)
            return Response(status: .noContent)
        }
        api.get("/audit") { request, _ in
            let query = request.uri.queryParameters
            return try await store.audit(
                service: query["service"].map { try ServiceName(String($0)) },
                who: query["who"].map(String.init), before: query["before"].flatMap { Int64($0) },
                limit: request.limit
            ).map(AuditJSON.init).json()
        }
    }

    /// A name of a token from before names had a form may hold anything.
    private static func name(_ context: APIServer.Context) throws -> String {
        let name = try context.parameters.require("name")
        return name.removingPercentEncoding ?? name
    }
}

struct TokenJSON: Encodable {
    let name, createdAt: String
    let role: Role
    let lastUsedAt: String?

    init(_ token: TokenRecord) {
        name = token.name
        role = token.role
        createdAt = token.createdAt.rfc3339
        lastUsedAt = token.lastUsedAt?.rfc3339
    }
}

struct UserJSON: Encodable {
    let name, createdAt: String
    let role: Role
    let lastSignInAt: String?

    init(_ user: UserRecord) {
        name = user.name
        role = user.role
        createdAt = user.createdAt.rfc3339
        lastSignInAt = user.lastSignInAt?.rfc3339
    }
}

struct AuditJSON: Encodable {
    let id: Int64
    let at, who, action, target, what, result: String
    let role: Role?
    let door: Door
    let service: String?

    init(_ entry: AuditEntry) {
        id = entry.id
        at = entry.at.rfc3339
        who = entry.who
        role = entry.role
        door = entry.door
        action = entry.action
        service = entry.service
        target = entry.target
        what = entry.what
        result = entry.result
    }
}
