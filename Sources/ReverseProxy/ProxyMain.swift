// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization
internal import Wire

/// `kinto-runtime proxy`: boots from its snapshot, serves, and takes orders over its socket.
public enum ProxyMain {
    public static func run(arguments: [String]) -> Int32 {
        func value(_ name: String) -> String? {
            arguments.firstIndex(of: name).flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
        }
        guard let socket = value("--socket"), let snapshot = value("--snapshot"),
            let address = HostPort(value("--listen") ?? "127.0.0.1:8080")
        else {
            complain(
                "usage: kinto-runtime proxy --socket PATH --snapshot PATH [--listen ADDRESS:PORT] [--workers N] [--limit NAME=VALUE]…"
            )
            return 2
        }
        let settings = arguments.indices.dropLast().filter { arguments[$0] == "--limit" }
            .map { arguments[$0 + 1] }
        let limits: ProxyLimits
        do { limits = try ProxyLimits(settings) } catch {
            complain("\(error)")
            return 2
        }
        for number in [SIGPIPE, SIGHUP, SIGINT] { signal(number, SIG_IGN) }
        var bounds = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &bounds) == 0 {
            bounds.rlim_cur = bounds.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &bounds)
        }
        let descriptors = Int(clamping: bounds.rlim_cur)
        do {
            let listener = try Listener.open(address: address.host, port: address.port)
            let count = max(1, min(64, value("--workers").flatMap { Int($0) } ?? 1))
            let mailboxes = try (0..<count).map { _ in try Worker.Mailbox() }
            let proxy = Proxy(mailboxes: mailboxes, snapshot: snapshot, listen: address.description)
            let addresses = AddressCounts(limits)
            let busy = Mutex(Set(0..<count))
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
                    worker.run {
                        busy.withLock { busy in
                            busy.remove(number)
                            return busy.isEmpty
                        }
                    }
                    exit(0)
                }
            }
            if let bytes = try? Files.read(snapshot), let table = try? RoutingTable(Fields(decoding: bytes)) {
                if case .failed(_, let message) = proxy.apply(table, save: false) {
                    complain("routes from the snapshot: \(message)")
                }
            }
            proxy.open(listener, port: nil)
            let door = try UnixSocket.listen(socket)
            try serve(door, proxy, version: value("--version") ?? "")
        } catch {
            complain("\(error)")
            return 1
        }
        return 0
    }

    /// A thread for each connection: a drain occupies its own.
    private static func serve(_ door: Descriptor, _ proxy: Proxy, version: String) throws {
        while true {
            let raw = accept(door.raw, nil, nil)
            guard raw >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                throw SystemError.last("accept")
            }
            let connection = Descriptor(owning: raw)
            Thread.start {
                while let fields = try? Frame.read(from: connection) {
                    guard (try? Frame.write(answer(fields, proxy, version).fields, to: connection)) != nil
                    else { return }
                }
            }
        }
    }

    private static func answer(_ fields: Fields, _ proxy: Proxy, _ version: String) -> ProxyReply {
        do {
            switch try ProxyRequest(fields) {
            case .hello:
                guard let own = ProcessIdentity(running: getpid()) else {
                    return .failed(code: "io", message: "/proc is not there")
                }
                return .hello(
                    version: version, process: own, generation: proxy.generation, listen: proxy.listen)
            case .apply(let table): return proxy.apply(table)
            case .drain(let upstream, let port, let milliseconds):
                return proxy.drain(upstream, port: port, milliseconds: milliseconds)
            case .statistics: return proxy.statistics()
            case .shutdown(let milliseconds):
                proxy.shutdown(milliseconds: milliseconds)
                return .ok
            }
        } catch { return .failed(code: "malformed", message: "\(error)") }
    }

    private static func complain(_ text: String) {
        let line = Array("kinto proxy: \(text)\n".utf8)
        _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}

/// `ADDRESS:PORT`, IPv4.
struct HostPort: CustomStringConvertible {
    let host: String
    let port: UInt16

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        host = String(text[..<colon])
        self.port = port
    }

    var description: String { "\(host):\(port)" }
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
