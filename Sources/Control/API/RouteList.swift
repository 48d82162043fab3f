// SPDX-License-Identifier: Apache-2.0
internal import HTTPTypes
internal import Hummingbird
internal import Synchronization

/// The routes of a router, noted as they are added: it does not tell them itself.
final class RouteList: Sendable {
    struct Route: Sendable, Hashable {
        let method: String
        /// With `{name}` for what varies.
        let path: String
    }

    /// Those that were left out, since nobody said who may ask for them.
    private let closed = Mutex<[Route]>([])
    var withoutAccess: [Route] { closed.withLock { $0 } }

    private let routes = Mutex<[Route]>([])

    var all: [Route] { routes.withLock { $0 } }

    fileprivate func note(_ method: HTTPRequest.Method, _ path: RouterPath, isServed: Bool) {
        let route = Route(method: method.rawValue, path: RouteList.documented(path.description))
        if isServed { routes.withLock { $0.append(route) } } else { closed.withLock { $0.append(route) } }
    }

    /// `/services/:name` as `/services/{name}`.
    static func documented(_ path: String) -> String {
        path.split(separator: "/").map { "/" + ($0.hasPrefix(":") ? "{\($0.dropFirst())}" : $0) }.joined()
    }

    /// What a path can be asked for; empty when there is nothing at it.
    func methods(of path: String) -> [String] {
        let words = path.split(separator: "/")
        let fitting = all.filter { route in
            let parts = route.path.split(separator: "/")
            return parts.count == words.count
                && zip(parts, words).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
        return Set(fitting.map(\.method)).sorted()
    }
}

/// Passes routes on to a router, behind the gate, and notes them. A route of which nobody said who may ask for it is not served.
struct NotedRouter: RouterMethods {
    typealias Context = APIServer.Context
    typealias Handler = @Sendable (Request, Context) async throws -> Response

    let router: Router<Context>
    let routes: RouteList
    let gate: Gate

    /// One of the API: who may ask for it is in its document.
    @discardableResult func on<Responder: HTTPResponder>(
        _ path: RouterPath, method: HTTPRequest.Method, responder: Responder
    ) -> NotedRouter where Responder.Context == Context {
        let access = Operations.operation(method.rawValue, RouteList.documented(path.description))?.access
        add(method, path, access) { try await responder.respond(to: $0, context: $1) }
        return self
    }

    /// One that is not in the document.
    func add(
        _ method: HTTPRequest.Method, _ path: RouterPath, _ access: RouteAccess?, _ handler: @escaping Handler
    ) {
        guard let access else { return routes.note(method, path, isServed: false) }
        let gate = gate
        serve(method, path) { request, context in
            try await gate.answer(request, context, access, handler)
        }
    }

    /// A page: the dashboard asks the gate itself, for it has sessions, and answers a refusal with a page.
    func page(
        _ method: HTTPRequest.Method, _ path: RouterPath, _ access: RouteAccess?,
        _ handler: @escaping @Sendable (Request, Context, RouteAccess) async -> Response
    ) {
        guard let access else { return routes.note(method, path, isServed: false) }
        serve(method, path) { request, context in await handler(request, context, access) }
    }

    private func serve(_ method: HTTPRequest.Method, _ path: RouterPath, _ handler: @escaping Handler) {
        router.on(path, method: method, responder: CallbackResponder(callback: handler))
        routes.note(method, path, isServed: true)
    }

    @discardableResult func add(middleware: any MiddlewareProtocol<Request, Response, Context>) -> NotedRouter
    {
        router.add(middleware: middleware)
        return self
    }
}
