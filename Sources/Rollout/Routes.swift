// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// Owns the routing table: every change is one whole table, in force when the call returns.
public actor Routes {
    private let client: ProxyClient
    private var generation: UInt64 = 0
    /// In force, but for what operators asked.
    public private(set) var routes: [RoutingTable.Route] = []
    private var policies: [String: RoutePolicy] = [:]
    private var busy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    public init(socket: String) { client = ProxyClient(socket: socket) }

    /// Puts all routes in force, with what operators asked for: at the start.
    public func replace(_ routes: [RoutingTable.Route], policies: [String: RoutePolicy]) async throws {
        self.policies = policies
        try await change { $0 = routes }
    }

    /// What an operator asked for one target: it holds for the route in force and for every later one.
    public func set(_ policy: RoutePolicy, for identifier: String) async throws {
        let before = policies[identifier]
        policies[identifier] = policy
        do { try await change { _ in } } catch {
            policies[identifier] = before
            throw error
        }
    }

    /// Sets one target's route.
    /// - Throws: `Failure` of code `port-taken` or `proxy`; then the old route is in force.
    public func set(_ route: RoutingTable.Route) async throws {
        try await change { routes in
            routes.removeAll { $0.identifier == route.identifier }
            routes.append(route)
        }
    }

    public func remove(_ identifier: String) async throws {
        policies[identifier] = nil
        try await change { $0.removeAll { $0.identifier == identifier } }
    }

    /// Puts the table in force once more, for a proxy that was started again.
    public func refresh() async throws { try await change { _ in } }

    /// Waits until nothing is on its way to an upstream, at most so long; what is left then is cut.
    /// - Parameter port: only what is on its way to that instance, which has left the route.
    @discardableResult
    public func drain(_ upstream: String, _ time: TimeSpan, port: UInt16? = nil) async throws -> (
        ProxyReply.Counters, cut: UInt64
    ) {
        switch try await client.ask(
            .drain(upstream: upstream, port: port, milliseconds: time.milliseconds),
            patience: time.milliseconds + 10_000)
        {
        case .drained(let counters, let cut): return (counters, cut)
        case let other: throw Routes.unexpected(other)
        }
    }

    /// Of every upstream that the proxy knows.
    public func counters() async throws -> [ProxyReply.Counters] {
        guard case .statistics(let list) = try await client.ask(.statistics) else { return [] }
        return list
    }

    /// What a proxy says of itself; `limits` as `ProxyLimits.texts`.
    public typealias Hello = (version: String, process: ProcessIdentity, listen: String, limits: [String])

    public func hello() async throws -> Hello {
        switch try await client.ask(.hello) {
        case .hello(let version, let process, let generation, let listen, let limits):
            self.generation = max(self.generation, generation)
            return (version, process, listen, limits)
        case let other: throw Routes.unexpected(other)
        }
    }

    public func shutdown() async throws { _ = try await client.ask(.shutdown(milliseconds: 5_000)) }

    /// One change after the other: each begins from the table that the one before it left in force.
    private func change(_ edit: (inout [RoutingTable.Route]) -> Void) async throws {
        while busy { await withCheckedContinuation { waiting.append($0) } }
        busy = true
        defer {
            busy = false
            if !waiting.isEmpty { waiting.removeFirst().resume() }
        }
        var next = routes
        edit(&next)
        let table = next.map { route in
            var route = route
            (policies[route.identifier] ?? RoutePolicy()).apply(to: &route)
            return route
        }
        var reply = try await apply(table)
        // The proxy knows a later table than we do: an earlier server's.
        if case .failed("stale-generation", _) = reply {
            _ = try await hello()
            reply = try await apply(table)
        }
        guard case .applied = reply else { throw Routes.unexpected(reply) }
        routes = next
    }

    private func apply(_ table: [RoutingTable.Route]) async throws -> ProxyReply {
        generation += 1
        let request = ProxyRequest.apply(RoutingTable(generation: generation, routes: table))
        // A proxy that was replaced meanwhile says so, and the next question goes to the new one. One that ended with the
        // question unanswered may have taken the table; it is the same table again.
        for _ in 0..<5 {
            let reply = try await client.ask(request)
            guard case .failed("handed-over", _) = reply else { return reply }
        }
        return try await client.ask(request)
    }

    private static func unexpected(_ reply: ProxyReply) -> Failure {
        if case .failed(let code, let message) = reply {
            return Failure(
                code: code == "port-taken" ? "port-taken" : "proxy", "the proxy refused: \(message)")
        }
        return Failure(code: "proxy", "the proxy gave an unexpected answer")
    }
}
