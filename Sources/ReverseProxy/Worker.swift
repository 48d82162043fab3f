// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization
internal import Wire

/// One thread with its own connections, idle pools and counters. Others reach it only by its mailbox.
final class Worker {
    /// What other threads may do: post.
    final class Mailbox: Sendable {
        private let messages = Mutex<[@Sendable (Worker) -> Void]>([])
        let wake: Descriptor

        init() throws(SystemError) {
            wake = Descriptor(owning: try check("eventfd") { kinto_eventfd() })
        }

        func post(_ message: @escaping @Sendable (Worker) -> Void) {
            messages.withLock { $0.append(message) }
            var one: UInt64 = 1
            _ = write(wake.raw, &one, 8)
        }

        fileprivate func take() -> [@Sendable (Worker) -> Void] {
            var count: UInt64 = 0
            _ = read(wake.raw, &count, 8)
            return messages.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
        }
    }

    let mailbox: Mailbox
    /// Every read of this worker goes through it.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.read, alignment: 16)
    private let poller: Descriptor
    /// By descriptor.
    private(set) var endpoints: [Endpoint?] = []
    private(set) var now: Int64 = 0
    private var lastSweep: Int64 = 0
    private var lastClearing: Int64 = 0
    private(set) var router = Router()
    /// How many tables were put in force.
    private(set) var tables = 0
    private var upstreams: [String: UpstreamState] = [:]
    /// No more visitors; answers say that they are the last of their connection.
    private(set) var stopping = false
    /// Connections that do nothing are ended at once.
    private(set) var isHasty = false
    private var closing: [Endpoint] = []
    /// Not watched until the next sweep.
    private var paused: [Endpoint] = []
    let limits: ProxyLimits
    let addresses: AddressCounts
    private let capacity: Int
    private var visitors = 0
    /// Requests that no instance takes now, in the order in which they came.
    private var held: [ClientConnection] = []
    private var lastLook: Int64 = 0
    private var pipes: [SplicePipe] = []
    /// Whose turn comes at the end of the round.
    private var due: [Endpoint] = []
    /// Where visitors come over TLS; nil: nowhere.
    var tls: TLSSettings?
    private var date = HTTPDate()
    /// How often something happened.
    private(set) var rounds = 0

    /// - Parameters:
    ///   - capacity: visitors' connections at a time; more wait in the listening sockets' backlog, so that there are
    ///     descriptors left to reach the instances with.
    ///   - addresses: shared by all workers.
    init(
        mailbox: Mailbox, capacity: Int = .max, limits: ProxyLimits = ProxyLimits(),
        addresses: AddressCounts = AddressCounts()
    ) throws(SystemError) {
        self.mailbox = mailbox
        self.limits = limits
        self.addresses = addresses
        self.capacity = capacity
        poller = Descriptor(owning: try check("epoll_create1") { kinto_epoll() })
        var event = epoll_event(events: Endpoint.input, data: epoll_data_t(fd: mailbox.wake.raw))
        try check("epoll_ctl") { epoll_ctl(poller.raw, EPOLL_CTL_ADD, mailbox.wake.raw, &event) }
    }

    deinit { scratch.deallocate() }

    /// Serves until it was stopped, its last visitor has left, and `isOver` says so.
    func run(until isOver: () -> Bool = { true }) {
        Worker.holdBrokenPipes()
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        while !stopping || visitors > 0 || !isOver() {
            let patience = !held.isEmpty ? Limits.holdPause : paused.isEmpty ? 1000 : 250
            let count = epoll_wait(poller.raw, &events, Int32(events.count), Int32(patience))
            now = Worker.monotonic()
            rounds &+= 1
            for index in 0..<max(0, Int(count)) {
                let fd = events[index].data.fd
                if fd == mailbox.wake.raw {
                    for message in mailbox.take() { message(self) }
                } else {
                    endpoint(fd)?.ready(events[index].events)
                }
            }
            if !held.isEmpty, now - lastLook >= Limits.holdPause { sendHeld() }
            if now - lastSweep >= 250 { sweep() }
            takeTurns()
            // Numbers are given back only after the round, so that no event of it reaches a new owner.
            for endpoint in closing { Glibc.close(endpoint.fd) }
            closing.removeAll(keepingCapacity: true)
        }
    }

    /// splice(2) to a connection that the other side has reset raises SIGPIPE, and knows no MSG_NOSIGNAL. Who has workers
    /// in its process need not know.
    private static func holdBrokenPipes() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    static func monotonic() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    // MARK: Endpoints

    /// Whether one more visitor can be had. When all places are taken, those go that rest longest: who only keeps a
    /// connection does not keep others out.
    func hasRoom() -> Bool {
        if visitors < capacity { return true }
        // A look at all of them, so not for each visitor.
        guard now - lastClearing >= 250 else { return false }
        lastClearing = now
        let resting = endpoints.compactMap { endpoint -> (client: Endpoint, since: Int64)? in
            guard let endpoint, let since = endpoint.restsSince, now - since > Limits.restTime
            else { return nil }
            return (endpoint, since)
        }
        for (client, _) in resting.sorted(by: { $0.since < $1.since }).prefix(max(1, capacity / 16)) {
            client.giveWay()
        }
        return visitors < capacity
    }

    func add(_ endpoint: Endpoint) {
        if endpoint.visitor != nil { visitors += 1 }
        let index = Int(endpoint.fd)
        while endpoints.count <= index { endpoints.append(nil) }
        endpoints[index] = endpoint
        var event = epoll_event(events: endpoint.interest, data: epoll_data_t(fd: endpoint.fd))
        epoll_ctl(poller.raw, EPOLL_CTL_ADD, endpoint.fd, &event)
    }

    /// The same connection goes on as something else.
    func replace(_ old: Endpoint, by new: Endpoint) {
        old.isOpen = false
        endpoints[Int(old.fd)] = new
        modify(new)
    }

    func modify(_ endpoint: Endpoint) {
        // A part of a connection that is watched as a whole.
        guard endpoint.fd >= 0 else { return turn(endpoint) }
        var event = epoll_event(events: endpoint.interest, data: epoll_data_t(fd: endpoint.fd))
        epoll_ctl(poller.raw, EPOLL_CTL_MOD, endpoint.fd, &event)
    }

    func remove(_ endpoint: Endpoint) {
        if let visitor = endpoint.visitor {
            visitors -= 1
            addresses.leave(visitor)
        }
        if endpoints.indices.contains(Int(endpoint.fd)) { endpoints[Int(endpoint.fd)] = nil }
        epoll_ctl(poller.raw, EPOLL_CTL_DEL, endpoint.fd, nil)
        closing.append(endpoint)
    }

    /// Accepts nothing until the next sweep.
    func pause(_ listener: Listener) {
        epoll_ctl(poller.raw, EPOLL_CTL_DEL, listener.fd, nil)
        paused.append(listener)
    }

    /// Listeners are shared by the workers and closed by their owner.
    func forget(_ fd: Int32) {
        paused.removeAll { $0.fd == fd }
        if endpoints.indices.contains(Int(fd)) { endpoints[Int(fd)] = nil }
        epoll_ctl(poller.raw, EPOLL_CTL_DEL, fd, nil)
    }

    private func sweep() {
        lastSweep = now
        let waiting = paused
        paused = []
        for listener in waiting { add(listener) }
        for case let endpoint? in endpoints where endpoint.isOpen {
            if endpoint.deadline <= now { endpoint.expired() } else { endpoint.rest() }
        }
    }

    private func endpoint(_ fd: Int32) -> Endpoint? {
        endpoints.indices.contains(Int(fd)) ? endpoints[Int(fd)] : nil
    }

    /// Has its `turn` called before the round ends: what is done there cannot meet what is being done now.
    func turn(_ endpoint: Endpoint) {
        guard !endpoint.isTurnDue else { return }
        endpoint.isTurnDue = true
        due.append(endpoint)
    }

    private func takeTurns() {
        while !due.isEmpty {
            let now = due
            due = []
            for endpoint in now {
                endpoint.isTurnDue = false
                if endpoint.isOpen { endpoint.turn() }
            }
        }
    }

    func dateField() -> [UInt8] { date.line() }

    // MARK: Splicing

    func pipe() -> SplicePipe? { pipes.popLast() ?? SplicePipe() }

    /// An empty one, for the next.
    func giveBack(_ pipe: SplicePipe) { if pipes.count < 16 { pipes.append(pipe) } }

    // MARK: Holding

    /// False when too many wait already.
    func hold(_ client: ClientConnection) -> Bool {
        guard held.count < Limits.held else { return false }
        held.append(client)
        return true
    }

    func letGo(_ client: ClientConnection) { held.removeAll { $0 === client } }

    /// Linux tells nobody that a socket begins to listen: the first in each queue tries, and the others follow when it
    /// was taken.
    private func sendHeld() {
        lastLook = now
        var closed: Set<String> = []
        let waiting = held
        held = []
        for client in waiting where client.isOpen {
            guard let name = client.heldFor else { continue }
            if closed.contains(name) {
                held.append(client)
            } else if !client.tryAgain() {
                closed.insert(name)
            }
        }
    }

    // MARK: Routing

    /// Puts a table in force: the next request is routed by it.
    /// - Returns: the upstreams that left.
    func apply(_ table: RoutingTable, _ sites: [String: Site] = [:]) -> [ProxyReply.Counters] {
        tables += 1
        let before = router
        router = Router(table, sites: sites) { upstream in
            // The same object for as long as there are requests: it counts them.
            let state = upstreams[upstream.identifier] ?? UpstreamState(upstream)
            upstreams[upstream.identifier] = state
            state.change(to: upstream.ports)
            return state
        }
        // Who waited for the end of one that is back in force waits no longer.
        for state in upstreams.values where router.holds(state) { state.endDrain() }
        var left: [ProxyReply.Counters] = []
        for state in upstreams.values where before.holds(state) && !router.holds(state) {
            for server in state.servers { server.closeIdle() }
            left.append(state.report(now: now))
        }
        sendHeld()
        return left
    }

    /// Calls back when no request is on its way to the upstream, or to the instance that left it.
    func whenDrained(_ identifier: String, _ port: UInt16? = nil, _ done: @escaping () -> Void) {
        guard let state = upstreams[identifier] else { return done() }
        if let port { return state.whenLeft(port, done) }
        guard state.counters.inFlight > 0, !router.holds(state) else { return done() }
        state.drained.append(done)
    }

    /// Closes what is still on its way; the counters, and how many requests were cut. An upstream that is in force
    /// (again) is left alone.
    func settle(_ identifier: String, _ port: UInt16? = nil) -> (ProxyReply.Counters, UInt64) {
        guard let state = upstreams[identifier] else { return (.init(upstream: identifier), 0) }
        if let port {
            let late = state.leave(port)
            for client in late { client.abandon() }
            return (state.report(now: now), UInt64(late.count))
        }
        guard !router.holds(state) else { return (state.report(now: now), 0) }
        let cut = UInt64(state.clients.count)
        for client in state.clients { client.abandon() }
        upstreams[identifier] = nil
        return (state.report(now: now), cut)
    }

    func counters() -> [ProxyReply.Counters] { upstreams.values.map { $0.report(now: now) } }

    /// Takes no more visitors, ends kept-alive connections that do nothing, and lets `run` return when the rest ended.
    func stop() {
        stopping = true
        isHasty = true
        for case let listener as Listener in endpoints {
            // Who has come is let in; who comes now is refused, not left to wait.
            listener.ready(Endpoint.input)
            shutdown(listener.fd, Int32(SHUT_RDWR))
            forget(listener.fd)
        }
        for case let endpoint? in endpoints { endpoint.closeIfIdle() }
    }

    /// Another proxy has the listening sockets now: what is here is brought to its end. A kept-alive connection has one
    /// request more, if that comes soon: closed at once, it could be at the moment in which the visitor uses it.
    func retire() {
        stopping = true
        for case let endpoint? in endpoints { endpoint.retire() }
    }

    /// The time of those that are still here is over.
    func cut() {
        isHasty = true
        for client in upstreams.values.flatMap(\.clients) { client.abandon() }
        for case let endpoint? in endpoints { endpoint.endHastily() }
    }

    /// Lets in who has come to a socket that nobody serves from now on, and refuses who comes later.
    func finish(_ listener: Listener) {
        add(listener)
        for _ in 0..<32 { listener.ready(Endpoint.input) }
        shutdown(listener.fd, Int32(SHUT_RDWR))
        forget(listener.fd)
    }
}
