// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// What stands before the services and is told where requests go: kinto's own proxy, or one that is there already.
/// Only `Routes` calls it, one change at a time; `drain`, `counters` and `status` may run beside a change.
public protocol ProxyDriver: Sendable {
    /// Says what this proxy cannot do, before anything depends on it.
    /// - Throws: `Failure` of code `proxy-setting`, which names the setting.
    func check(_ route: RoutingTable.Route) throws(Failure)

    /// The same of what an operator asks for.
    func check(_ policy: RoutePolicy) throws(Failure)

    /// Leaves what a proxy that does not run yet reads when it starts.
    func prepare(_ routes: [RoutingTable.Route]) async throws

    /// Puts a whole table in force. When it returns, no request on a new connection reaches an upstream that left, and
    /// what is on its way to one is what `drain` waits for.
    /// - Throws: `Failure`; then the table before it is in force.
    func apply(_ routes: [RoutingTable.Route]) async throws

    /// Waits until nothing is on its way to an upstream that is not in force any more, at most so long.
    /// - Parameter port: only what is on its way to that instance.
    /// - Returns: as much as the proxy counts, and how many requests were left when the time was over.
    func drain(_ upstream: String, port: UInt16?, _ time: TimeSpan) async throws -> (
        ProxyReply.Counters, cut: UInt64
    )

    /// Of every upstream; empty where the proxy does not count by upstream.
    func counters() async throws -> [ProxyReply.Counters]

    /// - Throws: when the proxy does not answer.
    func status() async throws -> ProxyStatus

    /// Whether what was applied last still is in force: another program may have been reloaded by someone.
    func isInForce() async -> Bool
}

/// What a proxy says of itself.
public struct ProxyStatus: Sendable, Equatable {
    /// `kinto 0.1.0`, `nginx 1.22.1`
    public var name: String
    /// nil where the program does not tell.
    public var process: ProcessIdentity?
    /// Of kinto's own; nil for others, which listen where their owner says.
    public var addresses: ProxyAddresses?

    public init(name: String, process: ProcessIdentity? = nil, addresses: ProxyAddresses? = nil) {
        self.name = name
        self.process = process
        self.addresses = addresses
    }
}

extension ProxyDriver {
    public func check(_ route: RoutingTable.Route) throws(Failure) {}
    public func check(_ policy: RoutePolicy) throws(Failure) {}
    public func prepare(_ routes: [RoutingTable.Route]) async throws {}
    public func isInForce() async -> Bool { true }
}

/// A proxy that belongs to someone else. What only kinto's own can do is refused with a word about it.
protocol ExternalProxyDriver: ProxyDriver {
    /// `nginx`
    static var program: String { get }
}

extension ExternalProxyDriver {
    public func check(_ route: RoutingTable.Route) throws(Failure) {
        if let files = route.upstream?.files {
            throw Failure(
                code: "proxy-setting",
                "'\(files.isSite ? "static" : "assets")' is served by kinto's own proxy only, and this server uses \(Self.program)",
                hints: [
                    .init(
                        files.isSite
                            ? "give it a 'start' that serves the files, or let \(Self.program) have them"
                            : "remove 'assets' from kinto.json: the service answers with its files itself")
                ])
        }
        guard let port = route.port else { return }
        throw Failure(
            code: "proxy-setting",
            "'port' (\(port)) is served by kinto's own proxy only, and this server uses \(Self.program)",
            hints: [
                .init("remove 'port' from kinto.json, and let \(Self.program) listen where you need it")
            ])
    }

    public func check(_ policy: RoutePolicy) throws(Failure) {
        guard policy.paused || policy.maintenance != nil else { return }
        throw Failure(
            code: "proxy-setting",
            "'\(policy.paused ? "pause" : "maintenance")' needs kinto's own proxy, and this server uses \(Self.program)",
            hints: [.init("close the service in the configuration of \(Self.program)")])
    }

    /// What requests may reach: nothing of what is closed, for example since it was closed under another proxy.
    func open(_ route: RoutingTable.Route) -> RoutingTable.Upstream? {
        route.paused || route.maintenance != nil ? nil : route.upstream
    }

    /// A name of kinto's in the other program's configuration: `kinto-hello`, `kinto-hello--staging`.
    func name(_ route: RoutingTable.Route) -> String { Self.name(target: route.identifier[...]) }

    /// - Parameter target: `SERVICE/ENVIRONMENT`
    static func name(target: Substring) -> String {
        let parts = target.split(separator: "/")
        guard parts.count > 1, parts[1] != "production" else { return "kinto-\(parts.first ?? "")" }
        return "kinto-\(parts[0])--\(parts[1])"
    }
}
