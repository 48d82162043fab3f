// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import NIOCore

/// The one place where it is decided who may do something, and where it is written down who did. Every route passes it: those of
/// the API by ``NotedRouter``, the dashboard's by ``Dashboard``.
struct Gate: Sendable {
    typealias Context = APIServer.Context

    let accounts: Accounts
    let audit: AuditLog
    /// At the unix socket, where whoever can open it may do everything.
    let isLocal: Bool

    /// Who asks, as of a moment.
    struct Identity: Sendable {
        let principal: Principal
        /// `Presence.now`, from before that was found out.
        let since: UInt64
    }

    /// A request of the API.
    func answer(
        _ request: Request, _ context: Context, _ access: RouteAccess,
        _ next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard access.role != nil else { return try await next(request, context) }
        guard let identity = try await identity(request, context) else {
            throw Problem(
                Failure(
                    code: "unauthorized", "this needs a token: Authorization: Bearer TOKEN",
                    hints: [
                        .init("make one on the server", command: "kinto token add NAME --role viewer")
                    ]))
        }
        return try await pass(identity, isLocal ? .socket : .api, access, context) {
            try await next(request, $0)
        }
    }

    /// Lets through who may, and keeps what was done.
    /// - Parameter body: is given the context with who asks.
    /// - Throws: `Problem` of code `forbidden`; what `body` throws.
    func pass(
        _ identity: Identity, _ door: Door, _ access: RouteAccess, _ context: Context,
        _ body: (Context) async throws -> Response
    ) async throws -> Response {
        let principal = identity.principal
        var context = context
        context.principal = principal
        var entry = AuditEntry(
            who: principal.name, role: principal.role, door: door, action: access.action ?? "")
        Gate.note(context)
        if let needed = access.role, principal.role < needed {
            if access.action != nil {
                await audit.refused(entry.completed(context.note, result: "forbidden"))
            }
            throw Problem(Gate.refusal(principal, needed, access.action))
        }
        guard access.action != nil else {
            let response = try await body(context)
            // Secrets were shown.
            if context.note.now.action != nil {
                await audit.record(entry.completed(context.note, result: AuditEntry.done))
            }
            return ending(response, identity, context)
        }
        entry = await audit.begin(entry.completed(context.note, result: AuditEntry.begun))
        do {
            let response = try await body(context)
            await audit.complete(entry.completed(context.note, result: AuditEntry.done))
            return response
        } catch {
            let code = Problem.wrap(error).failure.code
            await audit.complete(entry.completed(context.note, result: code))
            throw error
        }
    }

    private static func refusal(_ principal: Principal, _ needed: Role, _ action: String?) -> Failure {
        let what = action.map { "'\($0)'" } ?? "this"
        return Failure(
            code: "forbidden",
            "\(what) needs the role \(needed.rawValue); \(principal.name) is \(principal.role.rawValue)",
            hints: [.init("ask an admin, or come with an account that may: docs/access.md")])
    }

    /// What the path says; whoever handles the request knows more.
    private static func note(_ context: Context) {
        let path = context.endpointPath ?? ""
        guard let name = context.parameters.get("name") ?? context.parameters.get("id") else { return }
        if path.contains("services/") || path.hasPrefix("/remove-service/"),
            let service = try? ServiceName(name)
        {
            let environment = context.parameters.get("environment").flatMap { try? EnvironmentName($0) }
            if let environment {
                context.note.about(Target(service: service, environment: environment))
            } else {
                context.note.about(service)
            }
        } else {
            context.note.about(name)
        }
    }

    private func identity(_ request: Request, _ context: Context) async throws -> Identity? {
        let since = accounts.presence.now
        if isLocal {
            return Identity(principal: await accounts.local(context.peer()), since: since)
        }
        guard let value = request.headers[.authorization], value.hasPrefix("Bearer "),
            let principal = try await accounts.principal(token: String(value.dropFirst(7)))
        else { return nil }
        return Identity(principal: principal, since: since)
    }

    /// A stream ends with the account that it is for.
    private func ending(_ response: Response, _ identity: Identity, _ context: Context) -> Response {
        guard !isLocal, response.body.contentLength == nil else { return response }
        var response = response
        let (body, presence, account) = (response.body, accounts.presence, identity.principal.account)
        response.body = ResponseBody { writer in
            let number = presence.enter(account, since: identity.since) { context.cut() }
            guard let number else { return context.cut() }
            defer { presence.leave(account, number) }
            try await body.write(writer)
        }
        return response
    }
}
