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
    /// Instances that left while requests were on their way to them.
    private var leaving: [Server] = []
    /// Answers, and those of 500 and above, by minute: this one and the five before it.
    private var minutes = [(answers: UInt64, errors: UInt64)](repeating: (0, 0), count: 6)
    private var minute: Int64 = 0
    /// Answers by the time that they took.
    private var times = [UInt64](repeating: 0, count: AnswerTimes.bounds.count + 1)

    final class Server {
        let port: UInt16
        /// It refused a connection: others are asked before it until then.
        var avoidedUntil: Int64 = 0
        var inFlight = 0
        var idle: [UpstreamConnection] = []
        /// Told when nothing is on its way any more.
        var left: [() -> Void] = []
        init(port: UInt16) { self.port = port }

        /// One request less is on its way.
        func finished() {
            inFlight -= 1
            guard inFlight == 0, !left.isEmpty else { return }
            let waiting = left
            left = []
            for done in waiting { done() }
        }

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

    func endDrain() {
        let waiting = drained
        drained = []
        for done in waiting { done() }
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
        for server in old where !ports.contains(server.port) {
            server.closeIdle()
            if server.inFlight > 0 { leaving.append(server) }
        }
    }

    /// Calls back when nothing is on its way to an instance that is not in force any more.
    func whenLeft(_ port: UInt16, _ done: @escaping () -> Void) {
        guard let server = leaving.first(where: { $0.port == port && $0.inFlight > 0 }) else { return done() }
        server.left.append(done)
    }

    /// Forgets an instance that left; whose requests are still on their way to it.
    func leave(_ port: UInt16) -> [ClientConnection] {
        let late = clients.filter { client in
            leaving.contains { $0.port == port && client.isServed(by: $0) }
        }
        leaving.removeAll { $0.port == port }
        return late
    }

    /// The one with the fewest requests on their way; of several, each in its turn. One that refused a connection a
    /// moment ago only when there is no other.
    func pick(except tried: [Server], now: Int64) -> Server? {
        if servers.count == 1 { return tried.isEmpty ? servers[0] : nil }
        turn = (turn + 1) % max(1, servers.count)
        var best: Server?
        for server in servers[turn...] + servers[..<turn] where !tried.contains(where: { $0 === server }) {
            guard let other = best else {
                best = server
                continue
            }
            let (isAvoided, isOtherAvoided) = (server.avoidedUntil > now, other.avoidedUntil > now)
            if isAvoided == isOtherAvoided ? server.inFlight < other.inFlight : isOtherAvoided {
                best = server
            }
        }
        return best
    }

    // MARK: Counting

    /// - Parameter since: when the request was claimed.
    func answered(_ status: Int, now: Int64, since: Int64) {
        turnMinutes(now)
        times[AnswerTimes.bucket(now - since)] &+= 1
        minutes[0].answers += 1
        if status >= 500 {
            minutes[0].errors += 1
            counters.errors += 1
        }
    }

    func report(now: Int64) -> ProxyReply.Counters {
        turnMinutes(now)
        var counters = counters
        counters.times = AnswerTimes(counts: times)
        counters.recent = minutes.reduce(0) { $0 + $1.answers }
        counters.recentErrors = minutes.reduce(0) { $0 + $1.errors }
        return counters
    }

    private func turnMinutes(_ now: Int64) {
        let current = now / 60_000
        guard current != minute else { return }
        let passed = Int(clamping: min(current - minute, Int64(minutes.count)))
        minute = current
        minutes = Array(repeating: (0, 0), count: passed) + minutes.dropLast(passed)
    }
}
