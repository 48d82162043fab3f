// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// One release's instances as one worker sees them: counters, idle connections, and who waits for the drain. Confined
/// to its worker's thread.
final class UpstreamState {
    let identifier: String
    let servers: [Server]
    var counters: ProxyReply.Counters
    /// The clients whose requests are on their way.
    var clients: Set<ClientConnection> = []
    var drained: [() -> Void] = []

    final class Server {
        let port: UInt16
        var inFlight = 0
        var idle: [UpstreamConnection] = []
        init(port: UInt16) { self.port = port }
    }

    init(_ upstream: RoutingTable.Upstream) {
        identifier = upstream.identifier
        servers = upstream.ports.map(Server.init)
        counters = .init(upstream: upstream.identifier)
    }

    /// The one with the fewest requests on their way.
    func pick(except tried: [Server]) -> Server? {
        servers.filter { server in !tried.contains { $0 === server } }.min { $0.inFlight < $1.inFlight }
    }
}
