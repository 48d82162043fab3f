// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// kinto's own proxy, over its unix socket.
public actor EmbeddedDriver: ProxyDriver {
    private let client: ProxyClient
    private var generation: UInt64 = 0

    public init(socket: String) { client = ProxyClient(socket: socket) }

    public func apply(_ routes: [RoutingTable.Route]) async throws {
        var reply = try await send(routes)
        // The proxy knows a later table than we do: an earlier server's.
        if case .failed("stale-generation", _) = reply {
            _ = try await hello()
            reply = try await send(routes)
        }
        guard case .applied = reply else { throw EmbeddedDriver.unexpected(reply) }
    }

    private func send(_ routes: [RoutingTable.Route]) async throws -> ProxyReply {
        generation += 1
        let request = ProxyRequest.apply(RoutingTable(generation: generation, routes: routes))
        // A proxy that was replaced meanwhile says so, and the next question goes to the new one. One that ended with the
        // question unanswered may have taken the table; it is the same table again.
        for _ in 0..<5 {
            let reply = try await client.ask(request)
            guard case .failed("handed-over", _) = reply else { return reply }
        }
        return try await client.ask(request)
    }

    public func drain(_ upstream: String, port: UInt16?, _ time: TimeSpan) async throws -> (
        ProxyReply.Counters, cut: UInt64
    ) {
        switch try await client.ask(
            .drain(upstream: upstream, port: port, milliseconds: time.milliseconds),
            patience: time.milliseconds + 10_000)
        {
        case .drained(let counters, let cut): return (counters, cut)
        case let other: throw EmbeddedDriver.unexpected(other)
        }
    }

    public func counters() async throws -> [ProxyReply.Counters] {
        guard case .statistics(let list) = try await client.ask(.statistics) else { return [] }
        return list
    }

    public func status() async throws -> ProxyStatus {
        let hello = try await hello()
        return ProxyStatus(name: "kinto \(hello.version)", process: hello.process, addresses: hello.addresses)
    }

    func hello() async throws -> Routes.Hello {
        switch try await client.ask(.hello) {
        case .hello(let version, let process, let generation, let addresses, let limits):
            self.generation = max(self.generation, generation)
            return (version, process, addresses, limits)
        case let other: throw EmbeddedDriver.unexpected(other)
        }
    }

    func certificates() async throws -> [ServedCertificate] {
        switch try await client.ask(.certificates) {
        case .certificates(let list): return list
        case let other: throw EmbeddedDriver.unexpected(other)
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
