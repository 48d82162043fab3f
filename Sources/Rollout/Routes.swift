// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// Owns the routing table: every change is one whole table, in force when the call returns.
public actor Routes {
    public nonisolated let driver: any ProxyDriver
    private nonisolated let domain: String?
    /// In force, but for what operators asked.
    public private(set) var routes: [RoutingTable.Route] = []
    private var policies: [String: RoutePolicy] = [:]
    private var busy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// - Parameter domain: below which each target has a name, too; lower case.
    public init(driver: any ProxyDriver, domain: String? = nil) {
        self.driver = driver
        self.domain = domain
    }

    /// Of kinto's own proxy.
    public init(socket: String) { self.init(driver: EmbeddedDriver(socket: socket)) }

    /// Whether the proxy is somebody else's program.
    public nonisolated var isExternal: Bool { driver is any ExternalProxyDriver }

    /// Puts all routes in force, with what operators asked for: at the start. They are what `refresh` puts in force
    /// also when this fails, for a proxy that is not there yet.
    public func replace(_ routes: [RoutingTable.Route], policies: [String: RoutePolicy]) async throws {
        self.policies = policies
        self.routes = routes
        try await driver.prepare(table(routes))
        try await change { $0 = routes }
    }

    /// What an operator asked for one target: it holds for the route in force and for every later one.
    public func set(_ policy: RoutePolicy, for identifier: String) async throws {
        try driver.check(policy)
        let before = policies[identifier]
        policies[identifier] = policy
        do { try await change { _ in } } catch {
            policies[identifier] = before
            throw error
        }
    }

    /// Whether addresses are free for a target: no other has them.
    /// - Throws: `Failure` of code `port-taken`, `host-taken`.
    public func check(_ hosts: [String], _ port: UInt16?, of target: Target) throws(Failure) {
        try refuseTaken(hosts, port, target.description, routes)
    }

    /// What one target has no other gets, whichever was first.
    private func refuseTaken(
        _ hosts: [String], _ port: UInt16?, _ identifier: String, _ routes: [RoutingTable.Route]
    ) throws(Failure) {
        let own = routes.first { $0.identifier == identifier }
        for other in routes where other.identifier != identifier {
            if let port, port == other.port, own?.port != port {
                throw Failure(
                    code: "port-taken", "port \(port) belongs to service \(other.identifier)",
                    hints: [
                        Routes.way(
                            "port", "\(port == .max ? port - 1 : port + 1)", identifier, other.identifier)
                    ])
            }
            // What it has already, from a time before this was refused, it keeps.
            let (taken, kept) = (names(other.hosts), own?.hosts ?? [])
            if let host = names(hosts).first(where: { taken.contains($0) && !kept.contains($0) }) {
                throw Failure(
                    code: "host-taken", "host \(host) belongs to service \(other.identifier)",
                    hints: [Routes.way("hosts", "[]", identifier, other.identifier)])
            }
        }
    }

    /// How a target gets addresses of its own: in the settings of its environment, where another one of the service has them.
    public static func way(_ key: String, _ value: String, _ target: String, _ other: String) -> Failure.Hint
    {
        let (own, others) = (target.split(separator: "/"), other.split(separator: "/"))
        guard own.first == others.first, let environment = own.last else {
            return .init("choose another '\(key)' in kinto.json")
        }
        return .init(
            "give \(environment) its own in kinto.json: "
                + "\"environments\": { \"\(environment)\": { \"\(key)\": \(value) } }")
    }

    /// Sets one target's route.
    /// - Throws: `Failure` of code `port-taken`, `host-taken` or `proxy`; then the old route is in force.
    public func set(_ route: RoutingTable.Route) async throws {
        if route.upstream != nil { try driver.check(route) }
        try await change(of: route.identifier) { routes in
            try refuseTaken(route.hosts, route.port, route.identifier, routes)
            routes.removeAll { $0.identifier == route.identifier }
            routes.append(route)
        }
    }

    /// What runs takes no requests: there is no route to it.
    public func withdraw(_ identifier: String) async throws {
        guard routes.contains(where: { $0.identifier == identifier }) else { return }
        try await change(of: identifier) { $0.removeAll { $0.identifier == identifier } }
    }

    public func remove(_ identifier: String) async throws {
        policies[identifier] = nil
        try await change(of: identifier) { $0.removeAll { $0.identifier == identifier } }
    }

    /// Gives targets other names, all in one table: what serves goes on serving.
    public func rename(_ moves: [(from: String, route: RoutingTable.Route)]) async throws {
        for move in moves {
            if let policy = policies.removeValue(forKey: move.from) {
                policies[move.route.identifier] = policy
            }
        }
        try await change { routes in
            routes.removeAll { route in moves.contains { $0.from == route.identifier } }
            routes += moves.map(\.route)
        }
    }

    /// Puts the table in force once more, for a proxy that was started again.
    public func refresh() async throws { try await change { _ in } }

    /// Waits until nothing is on its way to an upstream, at most so long; what is left then is cut.
    /// - Parameter port: only what is on its way to that instance, which has left the route.
    @discardableResult
    public func drain(_ upstream: String, _ time: TimeSpan, port: UInt16? = nil) async throws -> (
        ProxyReply.Counters, cut: UInt64
    ) {
        try await driver.drain(upstream, port: port, time)
    }

    /// Of every upstream that the proxy knows.
    public func counters() async throws -> [ProxyReply.Counters] { try await driver.counters() }

    /// What the proxy says of itself, whichever it is.
    public func status() async throws -> ProxyStatus { try await driver.status() }

    /// What kinto's own proxy says of itself; `limits` as `ProxyLimits.texts`.
    public typealias Hello = (
        version: String, process: ProcessIdentity, addresses: ProxyAddresses, limits: [String]
    )

    /// - Throws: when it does not answer, or this server uses another one.
    public func hello() async throws -> Hello {
        guard let embedded = driver as? EmbeddedDriver else {
            throw Failure(code: "proxy-setting", "this server does not use kinto's own proxy")
        }
        return try await embedded.hello()
    }

    /// Those of kinto's own proxy, read anew; none when it serves without TLS.
    /// - Throws: as `hello`.
    public func certificates() async throws -> [ServedCertificate] {
        guard let embedded = driver as? EmbeddedDriver else {
            throw Failure(code: "proxy-setting", "this server does not use kinto's own proxy")
        }
        return try await embedded.certificates()
    }

    /// One change after the other: each begins from the table that the one before it left in force.
    /// - Parameter identifier: the only route that is edited. One that leads nowhere, before and after it, does not need
    ///   a proxy that is there: somebody else's is told when it is back.
    private func change(
        of identifier: String? = nil, _ edit: (inout [RoutingTable.Route]) throws -> Void
    ) async throws {
        while busy { await withCheckedContinuation { waiting.append($0) } }
        busy = true
        defer {
            busy = false
            if !waiting.isEmpty { waiting.removeFirst().resume() }
        }
        var next = routes
        try edit(&next)
        do { try await driver.apply(table(next)) } catch {
            let isIdle = identifier.map { identifier in
                !(routes + next).contains { $0.identifier == identifier && $0.upstream != nil }
            }
            guard isExternal, isIdle == true else { throw error }
        }
        routes = next
    }

    /// Host names with the one below the domain.
    private func names(_ hosts: [String]) -> [String] {
        let local = ".localhost"
        guard let domain, let own = hosts.first(where: { $0.hasSuffix(local) }) else { return hosts }
        let name = "\(own.dropLast(local.count)).\(domain)"
        return hosts.contains(name) ? hosts : hosts + [name]
    }

    /// With what operators asked for.
    private func table(_ routes: [RoutingTable.Route]) -> [RoutingTable.Route] {
        routes.map { route in
            var route = route
            route.hosts = names(route.hosts)
            (policies[route.identifier] ?? RoutePolicy()).apply(to: &route)
            return route
        }
    }
}
