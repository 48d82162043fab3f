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
    let sessions = DashboardSessions()
    /// Of its own: a forge with a wrong secret does not keep a person out.
    let limiter = RefusalLimiter()

    func add(to router: NotedRouter) {
        for (name, text, type) in [
            ("dashboard.css", DashboardAssets.style, "text/css; charset=utf-8"),
            (
                "dashboard.js", DashboardAssets.script + "\n" + DashboardAssets.plot,
                "text/javascript; charset=utf-8"
            ),
        ] {
            router.get("/assets/\(RouterPath(name))") { _, _ in
                Response(
                    status: .ok,
                    headers: [
                        .contentType: type, .cacheControl: "no-cache", .xContentTypeOptions: "nosniff",
                    ], body: .init(byteBuffer: ByteBuffer(string: text)))
            }
        }
        router.get("/sign-in") { request, context in
            await open(request, context) { _ in try page("sign-in", ["title": "Sign in"]) }
        }
        router.post("/sign-in") { request, context in
            await open(request, context) { try await signIn($0, context) }
        }
        post(router, "/sign-out") { visit in
            sessions.end(visit.cookie)
            return redirect("/sign-in", cookie: "; Max-Age=0", visit.request)
        }
        get(router, "/events") { DashboardStream.changes(of: actions.store, $0.context) }
        ServicePages(dashboard: self).add(to: router)
        EnvironmentPages(dashboard: self).add(to: router)
        ChangePages(dashboard: self).add(to: router)
        ReleasePages(dashboard: self).add(to: router)
        SettingsPages(dashboard: self).add(to: router)
        TrafficPages(dashboard: self).add(to: router)
    }

    // MARK: Doors

    /// What a signed-in visitor asks.
    struct Visit: Sendable {
        let request: Request
        let context: Context
        let cookie: String
        let session: DashboardSessions.Session
        /// Fields of a form that was sent; empty otherwise.
        var form: [String: String] = [:]

        func target() throws -> Target {
            Target(
                service: try ServiceName(context.parameters.require("name")),
                environment: try EnvironmentName(context.parameters.require("environment")))
        }

        /// What a form that changes nothing was sent with, and what links carry. (The router's own parameters leave a space, which
        /// forms write as `+`, as it is.)
        var asked: [String: String] {
            (try? URLEncodedFormDecoder().decode([String: String].self, from: request.uri.query ?? "")) ?? [:]
        }

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

    func get(_ router: NotedRouter, _ path: RouterPath, _ handler: @escaping Handler) {
        router.get(path) { request, context in
            await open(request, context) { request in
                guard let visit = try await visit(request, context) else { return redirect("/sign-in") }
                return try await handler(visit)
            }
        }
    }

    /// A form: from a page of ours, by who is signed in, with the session's token in it.
    func post(_ router: NotedRouter, _ path: RouterPath, _ handler: @escaping Handler) {
        router.post(path) { request, context in
            await open(request, context) { request in
                guard var visit = try await visit(request, context) else { return redirect("/sign-in") }
                visit.form = try await form(request)
                guard visit.form["csrf"].map({ visit.session.isToken($0) }) == true else {
                    throw Failure(
                        code: "foreign-form", "this form is of an earlier session",
                        hints: [.init("go back, load the page again, and send it once more")])
                }
                return try await handler(visit)
            }
        }
    }

    /// Every request of the dashboard: the host's name, the origin of a form, and errors as a page.
    private func open(
        _ request: Request, _ context: Context, _ handler: (Request) async throws -> Response
    ) async -> Response {
        var response: Response
        do {
            try DashboardDoor(options: actions.options).check(request)
            response = try await handler(request)
        } catch {
            let problem = Problem.wrap(error)
            let view = FailureView(problem.failure, DashboardDoor.target(of: request)).values.merging([
                "title": "Not done", "back": DashboardDoor.referrer(of: request) ?? false as Any,
                "signedIn": false,
            ]) { $1 }
            response =
                (try? page("failure", view, status: problem.status)) ?? Response(status: problem.status)
        }
        for (name, value) in DashboardDoor.headers { response.headers[name] = value }
        return response
    }

    private func visit(_ request: Request, _ context: Context) async throws -> Visit? {
        guard let cookie = DashboardDoor.cookie(request), let session = sessions.session(cookie),
            try await actions.store.hasToken(hash: session.token)
        else { return nil }
        return Visit(request: request, context: context, cookie: cookie, session: session)
    }

    private func form(_ request: Request) async throws -> [String: String] {
        let body = try await request.body.collect(upTo: 1 << 20)
        do {
            return try URLEncodedFormDecoder().decode([String: String].self, from: String(buffer: body))
        } catch {
            throw Failure(code: "malformed", "that is not the form that is expected here")
        }
    }

    private func signIn(_ request: Request, _ context: Context) async throws -> Response {
        let token = (try await form(request)["token"] ?? "").filter { !$0.isWhitespace }
        let hash = Actions.hash(token)
        guard try await actions.store.hasToken(hash: hash) else {
            guard limiter.allows(context.source) else {
                var response = try page(
                    "sign-in", ["title": "Sign in", "wrong": "Too many wrong tokens. Wait a moment."],
                    status: .tooManyRequests)
                response.headers[.retryAfter] = "\(RefusalLimiter.retryAfter)"
                return response
            }
            return try page(
                "sign-in", ["title": "Sign in", "wrong": "This is not a token of this server."],
                status: .unauthorized)
        }
        let cookie = sessions.begin(token: hash)
        return redirect("/", cookie: "=\(cookie)", request)
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
        }
        return Response(
            status: status, headers: [.contentType: "text/html; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: try DashboardTemplates.render(name, view))))
    }

    func redirect(_ path: String) -> Response {
        Response(status: .seeOther, headers: [.location: path])
    }

    private func redirect(_ path: String, cookie: String, _ request: Request) -> Response {
        var response = redirect(path)
        let value = cookie.hasPrefix("=") ? cookie + "; Max-Age=\(DashboardSessions.seconds)" : "=" + cookie
        let secure = DashboardDoor(options: actions.options).isSecure(request) ? "; Secure" : ""
        response.headers[.setCookie] =
            "\(DashboardDoor.cookieName)\(value); Path=/; HttpOnly; SameSite=Strict\(secure)"
        return response
    }
}
