// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization
internal import Wire

/// What all workers serve: the table in force and the listening sockets. Changed by one request at a time.
final class Proxy: Sendable {
    struct Current {
        var table = RoutingTable()
        /// What it listens on; none when another proxy has taken over.
        var sockets: [Listener.Door: Descriptor] = [:]
        /// Whether the workers watch the listening sockets.
        var isAccepting = true
    }

    let current = Mutex(Current())
    /// Whether another proxy has taken over. Held while one does: a table goes to the one or to the other.
    let isReplaced = Mutex(false)
    private let library = SiteLibrary()
    /// With which the process ends when its visitors have left.
    let status = Atomic<Int32>(0)
    /// Where it lives, if others may take over from it.
    let place: ProxyPlace?
    let mailboxes: [Worker.Mailbox]
    let snapshot: String
    let addresses: ProxyAddresses
    /// nil: it serves without TLS only.
    let certificates: CertificateFolder?

    init(
        mailboxes: [Worker.Mailbox], snapshot: String, addresses: ProxyAddresses, place: ProxyPlace? = nil,
        certificates: CertificateFolder? = nil
    ) {
        self.certificates = certificates
        self.mailboxes = mailboxes
        self.snapshot = snapshot
        self.addresses = addresses
        self.place = place
    }

    var generation: UInt64 { current.withLock { $0.table.generation } }

    /// Takes visitors on this socket.
    func open(_ socket: Descriptor, _ door: Listener.Door) {
        current.withLock { current in
            current.sockets[door] = socket
            if current.isAccepting { watch(socket, door) }
        }
    }

    func watch(_ socket: Descriptor, _ door: Listener.Door) {
        everywhere { $0.add(Listener(socket, door, worker: $0)) }
    }

    /// Puts a table in force here and in the proxies that are still busy with what came before this one took over.
    func apply(_ table: RoutingTable) -> ProxyReply {
        isReplaced.withLock { isReplaced in
            if isReplaced { return Proxy.handedOver }
            let reply = put(table)
            guard case .applied(let left) = reply else { return reply }
            return .applied(
                neighbours(.follow(table), milliseconds: 2_000).all().reduce(left) { sum, reply in
                    if case .applied(let more) = reply { Proxy.sum(sum + more) } else { sum }
                })
        }
    }

    /// Puts the table of the proxy that took over in force: requests that are still here are routed by it.
    func follow(_ table: RoutingTable) -> ProxyReply {
        isReplaced.withLock { isReplaced in
            isReplaced
                ? put(table, save: false)
                : .failed(code: "malformed", message: "this proxy follows no other")
        }
    }

    /// Puts a table in force in every worker, whole, or leaves the old one.
    func put(_ table: RoutingTable, save: Bool = true) -> ProxyReply {
        // Held for the whole change: tables come one after the other.
        current.withLock { current in
            guard table.generation > current.table.generation else {
                return .failed(
                    code: "stale-generation", message: "generation \(current.table.generation) is in force")
            }
            // One that was replaced has no sockets any more.
            let isReplaced = current.sockets[.hosts] == nil && !current.isAccepting
            let wanted = isReplaced ? [] : Set(table.routes.compactMap(\.port))
            var opened: [UInt16: Descriptor] = [:]
            for port in wanted where current.sockets[.port(port)] == nil {
                do { opened[port] = try Listener.open(.loopback(port)) } catch {
                    return .failed(code: "port-taken", message: "\(error)")
                }
            }
            // It is for a proxy that dies while the machine lives; after a power loss the server knows the routes.
            if save {
                do { try Files.replace(snapshot, with: table.fields.encoded(), durable: false) } catch {
                    return .failed(code: "io", message: "\(error)")
                }
            }
            let sites = library.read(table)
            let left = gather { $0.apply(table, sites) }
            for (port, socket) in opened {
                if current.isAccepting { watch(socket, .port(port)) }
                current.sockets[.port(port)] = socket
            }
            for case (.port(let port), let socket) in current.sockets where !wanted.contains(port) {
                everywhere { $0.forget(socket.raw) }
                current.sockets[.port(port)] = nil
            }
            current.table = table
            return .applied(Proxy.sum(left.flatMap { $0 }))
        }
    }

    /// Waits for the upstream's requests, at most so long, then cuts what is left; also those in the proxies that are
    /// still busy with what came before this one took over.
    func drain(_ upstream: String, port: UInt16? = nil, milliseconds: Int, alone: Bool = false) -> ProxyReply
    {
        let others = neighbours(
            .drain(upstream: upstream, port: port, milliseconds: milliseconds),
            milliseconds: min(max(0, milliseconds), 1 << 30) + 2_000, alone: alone)
        let waiting = Latch(mailboxes.count)
        for mailbox in mailboxes {
            mailbox.post { worker in worker.whenDrained(upstream, port) { waiting.count() } }
        }
        waiting.wait(milliseconds: milliseconds)
        let parts = gather { $0.settle(upstream, port) }
        var counters = Proxy.sum(parts.map(\.0)).first ?? .init(upstream: upstream)
        var cut = parts.reduce(0) { $0 &+ $1.1 }
        for case .drained(let theirs, let more) in others.all() {
            counters += theirs
            cut &+= more
        }
        return .drained(counters, cut: cut)
    }

    func statistics(alone: Bool = false) -> ProxyReply {
        let others = neighbours(.statistics, milliseconds: 2_000, alone: alone)
        var all = gather { $0.counters() }.flatMap { $0 }
        for case .statistics(let more) in others.all() { all += more }
        return .statistics(Proxy.sum(all))
    }

    /// Asks those that are still busy with what came before this one took over. One that is replaced itself asks nobody.
    private func neighbours(_ request: ProxyRequest, milliseconds: Int, alone: Bool = false) -> Neighbours {
        let places = place.flatMap { !alone && $0.isCurrent ? $0.others : nil } ?? []
        return Neighbours(places, request, milliseconds: milliseconds)
    }

    static let handedOver = ProxyReply.failed(
        code: "handed-over", message: "another proxy has taken over; ask that one")

    /// Takes no more connections, lets requests end, and ends the process.
    func shutdown(milliseconds: Int) {
        everywhere { $0.stop() }
        signal(SIGALRM, SIG_DFL)
        alarm(UInt32(max(1, min(milliseconds / 1000, 3600))))
    }

    func everywhere(_ body: @escaping @Sendable (Worker) -> Void) { _ = gather { body($0) } }

    /// Runs on every worker's thread; returns when all did.
    private func gather<T: Sendable>(_ body: @escaping @Sendable (Worker) -> T) -> [T] {
        let results = Results<T>()
        let latch = Latch(mailboxes.count)
        for mailbox in mailboxes {
            mailbox.post { worker in
                let value = body(worker)
                results.all.withLock { $0.append(value) }
                latch.count()
            }
        }
        latch.wait(milliseconds: Int(Int32.max))
        return results.all.withLock { $0 }
    }

    private static func sum(_ list: [ProxyReply.Counters]) -> [ProxyReply.Counters] {
        var sums: [String: ProxyReply.Counters] = [:]
        for part in list {
            sums[part.upstream, default: .init(upstream: part.upstream)] += part
        }
        return sums.values.sorted { $0.upstream < $1.upstream }
    }
}

final class Results<T: Sendable>: Sendable {
    let all = Mutex<[T]>([])
}

/// Counts down to zero; a pipe, so that the wait can have a deadline.
final class Latch: Sendable {
    private let ends: (read: Descriptor?, write: Descriptor?)
    private let left: Int

    init(_ count: Int) {
        var raw: [Int32] = [-1, -1]
        if pipe(&raw) == 0 {
            ends = (Descriptor(owning: raw[0]), Descriptor(owning: raw[1]))
        } else {
            ends = (nil, nil)
        }
        left = count
    }

    func count() {
        guard let end = ends.write else { return }
        var byte: UInt8 = 1
        _ = write(end.raw, &byte, 1)
    }

    func wait(milliseconds: Int) {
        guard let end = ends.read else { return }
        var seen = 0
        let deadline = Worker.monotonic() + Int64(max(0, min(milliseconds, Int(Int32.max))))
        while seen < left {
            var poller = pollfd(fd: end.raw, events: Int16(POLLIN), revents: 0)
            let ready = poll(&poller, 1, Int32(clamping: max(0, deadline - Worker.monotonic())))
            if ready == 0 { return }
            // Interrupted, when the process was stopped and goes on.
            guard ready > 0 else { continue }
            var byte: UInt8 = 0
            if read(end.raw, &byte, 1) == 1 { seen += 1 }
        }
    }
}
