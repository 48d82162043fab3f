// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// One release's instances as one worker sees them: counters, idle connections, and who waits for the drain. Confined
/// to its worker's thread.
final class UpstreamState {
    let identifier: String
    private(set) var servers: [Server]
    var counters: ProxyReply.Counters
    /// The clients whose requests are on their way.
    private(set) var clients: [ClientConnection] = []
    var drained: [() -> Void] = []
    private var turn = 0

    final class Server {
        let port: UInt16
        var inFlight = 0
        var idle: [UpstreamConnection] = []
        init(port: UInt16) { self.port = port }

        func closeIdle() {
            for connection in idle { connection.close() }
            idle = []
        }
    }

    init(_ upstream: RoutingTable.Upstream) {
        identifier = upstream.identifier
        servers = upstream.ports.map(Server.init)
        counters = .init(upstream: upstream.identifier)
    }

    func add(_ client: ClientConnection) {
        client.slot = clients.count
        clients.append(client)
    }

    func remove(_ client: ClientConnection) {
        guard clients.indices.contains(client.slot), clients[client.slot] === client else { return }
        clients.swapAt(client.slot, clients.count - 1)
        clients[client.slot].slot = client.slot
        clients.removeLast()
        client.slot = -1
    }

    /// Takes other instances, keeping those that stay; requests on their way to the others end there.
    func change(to ports: [UInt16]) {
        guard ports != servers.map(\.port) else { return }
        let old = servers
        servers = ports.map { port in old.first { $0.port == port } ?? Server(port: port) }
        for server in old where !ports.contains(server.port) { server.closeIdle() }
    }

    /// The one with the fewest requests on their way; of several, each in its turn.
    func pick(except tried: [Server]) -> Server? {
        if servers.count == 1 { return tried.isEmpty ? servers[0] : nil }
        turn = (turn + 1) % max(1, servers.count)
        var best: Server?
        for server in servers[turn...] + servers[..<turn]
        where !tried.contains(where: { $0 === server }) && server.inFlight < best?.inFlight ?? .max {
            best = server
        }
        return best
    }
}
