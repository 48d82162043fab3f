// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import KintoCore
public import Wire

/// Speaks to the proxy: one connection for each request, with a deadline.
struct ProxyClient: Sendable {
    let socket: String

    /// - Parameter patience: how long the answer may take, in milliseconds.
    func ask(_ request: ProxyRequest, patience: Int = 10_000) async throws -> ProxyReply {
        let socket = socket
        return try await Blocking.run {
            let connection = try UnixSocket.connect(socket)
            var time = timeval(tv_sec: patience / 1000, tv_usec: patience % 1000 * 1000)
            setsockopt(connection.raw, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
            try Frame.write(request.fields, to: connection)
            guard let fields = try Frame.read(from: connection) else {
                throw SystemError("read", socket, code: ECONNRESET)
            }
            return try ProxyReply(fields)
        }
    }
}

/// Owns the routing table: every change is one whole table, in force when the call returns.
public actor Routes {
    private let client: ProxyClient
    private var table = RoutingTable()
    private var busy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    public init(socket: String) { client = ProxyClient(socket: socket) }

    /// Puts all routes in force: at the start, and when the proxy was started again.
    public func replace(_ routes: [RoutingTable.Route]) async throws {
        try await change { $0 = routes }
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
        try await change { $0.removeAll { $0.identifier == identifier } }
    }

    public var routes: [RoutingTable.Route] { table.routes }

    /// Puts the table in force once more, for a proxy that was started again.
    public func refresh() async throws { try await change { _ in } }

    /// Waits for the upstream's last request.
    /// Waits until nothing is on its way to an upstream, at most so long; what is left then is cut.
    @discardableResult
    public func drain(_ upstream: String, _ time: TimeSpan) async throws -> (ProxyReply.Counters, cut: UInt64)
    {
        switch try await client.ask(
            .drain(upstream: upstream, milliseconds: time.milliseconds), patience: time.milliseconds + 10_000)
        {
        case .drained(let counters, let cut): return (counters, cut)
        case let other: throw Routes.unexpected(other)
        }
    }

    func counters() async throws -> [ProxyReply.Counters] {
        guard case .statistics(let list) = try await client.ask(.statistics) else { return [] }
        return list
    }

    public func hello() async throws -> (version: String, process: ProcessIdentity, listen: String) {
        switch try await client.ask(.hello) {
        case .hello(let version, let process, let generation, let listen):
            table.generation = max(table.generation, generation)
            return (version, process, listen)
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
        var next = table
        edit(&next.routes)
        next.generation += 1
        switch try await client.ask(.apply(next)) {
        case .applied: table = next
        case .failed("stale-generation", _):
            // The proxy knows a later table than we do: an earlier server's.
            _ = try await hello()
            next.generation = table.generation + 1
            guard case .applied = try await client.ask(.apply(next)) else {
                throw Failure(code: "proxy", "the proxy refuses the routing table")
            }
            table = next
        case let other: throw Routes.unexpected(other)
        }
    }

    private static func unexpected(_ reply: ProxyReply) -> Failure {
        if case .failed(let code, let message) = reply {
            return Failure(
                code: code == "port-taken" ? "port-taken" : "proxy", "the proxy refused: \(message)")
        }
        return Failure(code: "proxy", "the proxy gave an unexpected answer")
    }
}
