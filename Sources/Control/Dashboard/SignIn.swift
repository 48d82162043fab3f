// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Hummingbird
internal import KintoCore

/// Signing in: with name and password, or with a token and without a name.
struct SignIn: Sendable {
    let dashboard: Dashboard
    /// Of its own: a forge with a wrong secret does not keep a person out. A right token is always taken.
    let tokens = RefusalLimiter()
    let passwords = SignInLimits()

    private static let deviceCookie = "kinto_device"
    /// Half a year.
    private static let deviceSeconds = 15_768_000
    private var accounts: Accounts { dashboard.actions.accounts }

    func add(to router: NotedRouter) {
        router.page(.get, "/sign-in", .open) { request, context, _ in
            await dashboard.open(request, context) { _ in
                try dashboard.page("sign-in", ["title": "Sign in"])
            }
        }
        router.page(.post, "/sign-in", .open) { request, context, _ in
            await dashboard.open(request, context) { request in
                let form = try await dashboard.form(request)
                let name = (form["name"] ?? "").filter { !$0.isWhitespace }
                let secret = form["token"] ?? ""
                return name.isEmpty
                    ? try await token(secret.filter { !$0.isWhitespace }, request, context)
                    : try await password(name, secret, request, context)
            }
        }
    }

    private func token(_ token: String, _ request: Request, _ context: Dashboard.Context) async throws
        -> Response
    {
        if let principal = try await accounts.principal(token: token) {
            return await begin(.token(Actions.hash(token)), principal, request)
        }
        guard tokens.allows(context.source) else { return try await limited() }
        return try await wrong("a token", "This is not a token of this server.", context)
    }

    private func password(
        _ name: String, _ password: String, _ request: Request, _ context: Dashboard.Context
    ) async throws -> Response {
        let device = DashboardDoor.cookie(request, named: SignIn.deviceCookie)
        guard passwords.allows(name, source: context.source, device: device) else {
            return try await limited()
        }
        guard let user = try await accounts.user(name, password: password) else {
            // A name that nobody has may be a password in the wrong field: it is not written down.
            let known = try await dashboard.actions.store.user(name)?.name
            return try await wrong(
                known ?? "an unknown name", "The name or the password is not right.", context)
        }
        try? await dashboard.actions.store.noteSignIn(of: user.name)
        var response = await begin(.user(user.name, stamp: user.stamp), user.principal, request)
        let value = "\(SignIn.deviceCookie)=\(passwords.device(of: user.name))"
        let secure = DashboardDoor(options: dashboard.actions.options).isSecure(request) ? "; Secure" : ""
        response.headers.append(
            .init(
                name: .setCookie,
                value:
                    "\(value); Max-Age=\(SignIn.deviceSeconds); Path=/sign-in; HttpOnly; SameSite=Strict\(secure)"
            ))
        return response
    }

    private func begin(_ origin: DashboardSessions.Origin, _ principal: Principal, _ request: Request) async
        -> Response
    {
        let cookie = dashboard.sessions.begin(origin)
        await dashboard.actions.audit.record(
            AuditEntry(who: principal.name, role: principal.role, door: .dashboard, action: "sign-in"))
        return dashboard.redirect("/", cookie: "=\(cookie)", request)
    }

    private func wrong(_ who: String, _ text: String, _ context: Dashboard.Context) async throws -> Response {
        await dashboard.actions.audit.refused(
            AuditEntry(
                who: who, door: .dashboard, action: "sign-in",
                what: context.source.map { "from \($0)" } ?? "",
                result: "unauthorized"))
        return try page(text, .unauthorized)
    }

    private func limited() async throws -> Response {
        var response = try page(
            "Too many wrong attempts. Wait a moment; a token is taken at once.", .tooManyRequests)
        response.headers[.retryAfter] = "\(RefusalLimiter.retryAfter)"
        return response
    }

    private func page(_ wrong: String, _ status: HTTPResponse.Status) throws -> Response {
        try dashboard.page("sign-in", ["title": "Sign in", "wrong": wrong], status: status)
    }
}
