// SPDX-License-Identifier: Apache-2.0
internal import HTTPTypes
internal import Hummingbird
internal import KintoCore
internal import NIOCore

/// The pages for people, at the TCP door: what a visitor sees and does goes through ``Actions``, as with the API.
struct Dashboard: Sendable {
    typealias Context = APIServer.Context

    let actions: Actions
    let version: String
    let gate: Gate
    let sessions = DashboardSessions()

    func add(to router: NotedRouter) {
        for (name, text, type) in [
            ("dashboard.css", DashboardAssets.style, "text/css; charset=utf-8"),
            (
                "dashboard.js", DashboardAssets.script + "\n" + DashboardAssets.plot,
                "text/javascript; charset=utf-8"
            ),
        ] {
            router.page(.get, "/assets/\(RouterPath(name))", .open) { _, _, _ in
                Response(
                    status: .ok,
                    headers: [
                        .contentType: type, .cacheControl: "no-cache", .xContentTypeOptions: "nosniff",
                    ], body: .init(byteBuffer: ByteBuffer(string: text)))
            }
        }
        SignIn(dashboard: self).add(to: router)
        post(router, "/sign-out", .viewer) { visit in
            sessions.end(visit.cookie)
            return redirect("/sign-in", cookie: "; Max-Age=0", visit.request)
        }
        get(router, "/events", .viewer) { DashboardStream.changes(of: actions.store, $0.context) }
        ServicePages(dashboard: self).add(to: router)
        EnvironmentPages(dashboard: self).add(to: router)
        ChangePages(dashboard: self).add(to: router)
        ReleasePages(dashboard: self).add(to: router)
        CronPages(dashboard: self).add(to: router)
        SettingsPages(dashboard: self).add(to: router)
        TrafficPages(dashboard: self).add(to: router)
        AccessPages(dashboard: self).add(to: router)
    }

    // MARK: Doors

    /// What a signed-in visitor asks.
    struct Visit: Sendable {
        let request: Request
        let context: Context
        let cookie: String
        let session: DashboardSessions.Session
        let principal: Principal
        /// Fields of a form that was sent; empty otherwise.
        var form: [String: String] = [:]

        func target() throws -> Target {
            Target(
                service: try ServiceName(context.parameters.require("name")),
                environment: try EnvironmentName(context.parameters.require("environment")))
        }

        /// As it stands in releases.
        var by: String { principal.name }

        /// What a form that changes nothing was sent with, and what links carry. (The router's own parameters leave a space, which
        /// forms write as `+`, as it is.)
        var asked: [String: String] {
            (try? URLEncodedFormDecoder().decode([String: String].self, from: request.uri.query ?? "")) ?? [:]
        }

        /// A number of a link, which anybody may have written: within what can be calculated with.
        func number(_ name: String) -> Int? { asked[name].flatMap(Visit.number) }

        static func number(_ text: String) -> Int? { Int(text).map { min(max($0, 0), 1 << 40) } }

        /// Whether it is a page that looks what has changed of it.
        var isRefresh: Bool {
            HTTPField.Name("X-Kinto-Fresh").map { request.headers[$0] != nil } ?? false
        }

        func number() throws -> Int {
            guard let number = Int(try context.parameters.require("number")) else {
                throw Failure(code: "unknown-release", "a release is a number")
            }
            return number
        }
    }

    typealias Handler = @Sendable (Visit) async throws -> Response

    /// - Parameter access: nil: it is not served.
    func get(_ router: NotedRouter, _ path: RouterPath, _ access: RouteAccess?, _ handler: @escaping Handler)
    {
        router.page(.get, path, access) { request, context, access in
            await open(request, context) { request in
                guard let (cookie, session, identity) = try await identity(request) else {
                    return redirect("/sign-in")
                }
                return try await gate.pass(identity, .dashboard, access, context) { context in
                    try await handler(
                        Visit(
                            request: request, context: context, cookie: cookie, session: session,
                            principal: identity.principal))
                }
            }
        }
    }

    /// A form: from a page of ours, by who is signed in, with the session's token in it.
    /// - Parameter access: that of the operation of the API that does the same; nil: it is not served.
    func post(_ router: NotedRouter, _ path: RouterPath, _ access: RouteAccess?, _ handler: @escaping Handler)
    {
        router.page(.post, path, access) { request, context, access in
            await open(request, context) { request in
                guard let (cookie, session, identity) = try await identity(request) else {
                    return redirect("/sign-in")
                }
                let form = try await form(request)
                guard form["csrf"].map({ session.isToken($0) }) == true else {
                    throw Failure(
                        code: "foreign-form", "this form is of an earlier session",
                        hints: [.init("go back, load the page again, and send it once more")])
                }
                for word in Told.words(form) { context.note.say(word) }
                return try await gate.pass(identity, .dashboard, access, context) { context in
                    try await handler(
                        Visit(
                            request: request, context: context, cookie: cookie, session: session,
                            principal: identity.principal, form: form))
                }
            }
        }
    }

    /// Every request of the dashboard: the host's name, the origin of a form, and errors as a page.
    func open(
        _ request: Request, _ context: Context, _ handler: (Request) async throws -> Response
    ) async -> Response {
        var response: Response
        do {
            try DashboardDoor(options: actions.options).check(request)
            response = try await handler(request)
        } catch {
            let problem = Problem.wrap(error)
            let role = try? await identity(request)?.2.principal.role
            let view = FailureView(
                problem.failure, DashboardDoor.target(of: request), role
            ).values.merging([
                "title": "Not done", "back": DashboardDoor.referrer(of: request) ?? false as Any,
                "signedIn": false,
            ]) { $1 }
            response =
                (try? page("failure", view, status: problem.status)) ?? Response(status: problem.status)
        }
        for (name, value) in DashboardDoor.headers { response.headers[name] = value }
        return response
    }

    private func identity(_ request: Request) async throws -> (
        String, DashboardSessions.Session, Gate.Identity
    )? {
        let since = actions.accounts.presence.now
        guard let cookie = DashboardDoor.cookie(request), let session = sessions.session(cookie) else {
            return nil
        }
        let principal: Principal?
        switch session.origin {
        case .token(let hash): principal = try await actions.accounts.principal(hash: hash)
        case .user(let name, let stamp):
            let user = try await actions.store.user(name)
            principal = user?.stamp == stamp ? user?.principal : nil
        }
        return principal.map { (cookie, session, Gate.Identity(principal: $0, since: since)) }
    }

    func form(_ request: Request) async throws -> [String: String] {
        let body = try await request.body.collect(upTo: 1 << 20)
        do {
            return try URLEncodedFormDecoder().decode([String: String].self, from: String(buffer: body))
        } catch {
            throw Failure(code: "malformed", "that is not the form that is expected here")
        }
    }

    // MARK: Answers

    func page(
        _ name: String, _ view: [String: Any], _ visit: Visit? = nil, status: HTTPResponse.Status = .ok
    ) throws -> Response {
        var view = view
        view["version"] = version
        if let visit {
            view["signedIn"] = true
            view["csrf"] = visit.session.csrf
            view["who"] = visit.by
            view["role"] = visit.principal.role.rawValue
            view["mayDeploy"] = visit.principal.role >= .deployer
            view["isAdmin"] = visit.principal.role >= .admin
        }
        return Response(
            status: status, headers: [.contentType: "text/html; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: try DashboardTemplates.render(name, view))))
    }

    func redirect(_ path: String) -> Response {
        Response(status: .seeOther, headers: [.location: path])
    }

    func redirect(_ path: String, cookie: String, _ request: Request) -> Response {
        var response = redirect(path)
        let value = cookie.hasPrefix("=") ? cookie + "; Max-Age=\(DashboardSessions.seconds)" : "=" + cookie
        let secure = DashboardDoor(options: actions.options).isSecure(request) ? "; Secure" : ""
        response.headers[.setCookie] =
            "\(DashboardDoor.cookieName)\(value); Path=/; HttpOnly; SameSite=Strict\(secure)"
        return response
    }
}
