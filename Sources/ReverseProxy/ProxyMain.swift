// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization
internal import Wire

/// `kinto-runtime proxy`: boots from its snapshot, serves, and takes orders over its socket.
public enum ProxyMain {
    public static func run(arguments: [String]) -> Int32 {
        guard let options = ProxyOptions(arguments) else {
            say(ProxyOptions.usage)
            return 2
        }
        let limits: ProxyLimits
        do { limits = try ProxyLimits(options.limits) } catch {
            say("\(error)")
            return 2
        }
        for number in [SIGPIPE, SIGHUP, SIGINT] { signal(number, SIG_IGN) }
        do {
            // What it begins with is gone when it serves: a descriptor that is kept would keep its port.
            guard let door = try begin(options, limits) else { return ProxyPlace.finalStatus }
            try door.serve()
        } catch {
            say("\(error)")
            return 1
        }
    }

    /// Takes over from the proxy that serves, or serves because none does; nil when this one is not to.
    private static func begin(_ options: ProxyOptions, _ limits: ProxyLimits) throws -> ProxyDoor? {
        guard let place = options.place else { return try serve(options, limits, .nobody(nil)) }
        let finding = try Inheritance.look(from: place, drain: options.drain)
        do { return try serve(options, limits, finding) } catch {
            // The old one serves on.
            guard case .predecessor = finding, !place.isCurrent else { throw error }
            say("\(error)")
            return nil
        }
    }

    private static func serve(
        _ options: ProxyOptions, _ limits: ProxyLimits, _ finding: Inheritance.Finding
    ) throws -> ProxyDoor? {
        if case .superseded = finding { return nil }
        let inheritance: Inheritance? = if case .predecessor(let found) = finding { found } else { nil }
        let mailboxes = try (0..<options.workers).map { _ in try Worker.Mailbox() }
        let certificates = try options.secure.map { secure in
            CertificateFolder(secure.certificates, context: try TLSContext(), secure, mailboxes)
        }
        let proxy = Proxy(
            mailboxes: mailboxes, snapshot: options.snapshot, addresses: options.addresses,
            place: options.place, certificates: certificates)
        let plain = try socket(options.listen, inheritance?.main, inheritance?.addresses.plain)
        let secure = try options.secure.map {
            try socket($0.listen, inheritance?.secure, inheritance?.addresses.secure)
        }
        let door = try ProxyDoor(options.socket, proxy, version: options.version, limits: limits)
        start(mailboxes, limits, proxy, door)
        if let certificates {
            _ = certificates.read()
            if let lack = certificates.context.withoutHTTP2 { say("without HTTP/2: \(lack)") }
        }
        // Nobody is let in before it is sure that this one serves.
        proxy.accept(false)
        proxy.open(plain.socket, .hosts)
        if let secure { proxy.open(secure.socket, .secure) }
        try route(proxy, options, inheritance)
        if let place = options.place {
            guard try take(place, finding) else { return nil }
        }
        proxy.accept(true)
        if inheritance != nil {
            say(
                "took over on \([options.addresses.plain, options.addresses.secure].compactMap(\.self).joined(separator: " and "))"
            )
        }
        // An old address is not served any more; who came there until now is.
        if let old = plain.old { proxy.finish(old, .hosts) }
        if let old = secure == nil ? inheritance?.secure : secure?.old { proxy.finish(old, .secure) }
        certificates?.watch()
        return door
    }

    /// What to listen with: what the proxy before had, or a new one beside it, which takes its place.
    private static func socket(_ address: SocketAddress, _ inherited: Descriptor?, _ before: String?) throws
        -> (
            socket: Descriptor, old: Descriptor?
        )
    {
        if let inherited, before == address.description { return (inherited, nil) }
        return (try Listener.open(address, beside: inherited), inherited)
    }

    /// Whether this one serves from here on, and no other.
    private static func take(_ place: ProxyPlace, _ finding: Inheritance.Finding) throws -> Bool {
        switch finding {
        case .superseded: return false
        case .predecessor(let inheritance): return try inheritance.take(place)
        case .nobody(let before):
            // Another may have become the one while this one could not bind.
            let now = ProxyPlace.current(in: place.parent)
            if now != place {
                guard now == before else { return false }
                try place.makeCurrent()
            }
            return true
        }
    }

    private static func route(_ proxy: Proxy, _ options: ProxyOptions, _ inheritance: Inheritance?) throws {
        if let inheritance {
            proxy.inherit(inheritance.ports)
            guard inheritance.table.generation > 0 else { return }
            if case .failed(_, let message) = proxy.put(inheritance.table) {
                throw WireError.malformed("routes of the proxy before: \(message)")
            }
        } else if let bytes = try? Files.read(options.snapshot),
            let table = try? RoutingTable(Fields(decoding: bytes)),
            case .failed(_, let message) = proxy.put(table, save: false)
        {
            say("routes from the snapshot: \(message)")
        }
    }

    private static func start(
        _ mailboxes: [Worker.Mailbox], _ limits: ProxyLimits, _ proxy: Proxy, _ door: ProxyDoor
    ) {
        var bounds = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &bounds) == 0 {
            bounds.rlim_cur = bounds.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &bounds)
        }
        let (descriptors, count) = (Int(clamping: bounds.rlim_cur), mailboxes.count)
        let addresses = AddressCounts(limits)
        let busy = Busy(count)
        for (number, mailbox) in mailboxes.enumerated() {
            Thread.start {
                // Each visitor may need one descriptor more, for the instance.
                let most = max(16, (descriptors - 64) / 2 / count)
                let capacity = min(most, max(1, limits.connections / count))
                guard
                    let worker = try? Worker(
                        mailbox: mailbox, capacity: capacity, limits: limits, addresses: addresses)
                else { return }
                // The process ends when the last of them is done: the others may still have visitors.
                worker.run { busy.leave(number) && !door.isBusy }
                exit(proxy.status.load(ordering: .sequentiallyConsistent))
            }
        }
    }

    /// The workers that have visitors.
    private final class Busy: Sendable {
        private let numbers: Mutex<Set<Int>>
        init(_ count: Int) { numbers = Mutex(Set(0..<count)) }

        /// Whether it was the last.
        func leave(_ number: Int) -> Bool {
            numbers.withLock { numbers in
                numbers.remove(number)
                return numbers.isEmpty
            }
        }
    }

    /// A line for the log.
    static func say(_ text: String) {
        let line = Array("kinto proxy: \(text)\n".utf8)
        _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}

/// A detached thread.
enum Thread {
    private final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    static func start(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body))
        let code = pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().body() }
                return nil
            }, box.toOpaque())
        if code == 0 {
            pthread_detach(thread)
        } else {
            box.release()
        }
    }
}
