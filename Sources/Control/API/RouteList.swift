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

    private let routes = Mutex<[Route]>([])

    var all: [Route] { routes.withLock { $0 } }

    fileprivate func note(_ method: HTTPRequest.Method, _ path: RouterPath) {
        routes.withLock {
            $0.append(Route(method: method.rawValue, path: RouteList.documented(path.description)))
        }
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

/// Passes routes on to a router, and notes them.
struct NotedRouter: RouterMethods {
    typealias Context = APIServer.Context

    let router: Router<Context>
    let routes: RouteList

    @discardableResult func on<Responder: HTTPResponder>(
        _ path: RouterPath, method: HTTPRequest.Method, responder: Responder
    ) -> NotedRouter where Responder.Context == Context {
        router.on(path, method: method, responder: responder)
        routes.note(method, path)
        return self
    }

    @discardableResult func add(middleware: any MiddlewareProtocol<Request, Response, Context>) -> NotedRouter
    {
        router.add(middleware: middleware)
        return self
    }
}
