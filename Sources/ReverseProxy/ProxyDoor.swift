// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization
internal import Wire

/// The control socket: takes orders and hands them to the proxy.
final class ProxyDoor: Sendable {
    private let socket: Descriptor
    private let proxy: Proxy
    private let version: String
    private let limits: ProxyLimits
    private let answering = Atomic<Int>(0)
    /// Milliseconds until another connection is asked for, when there was no descriptor or no memory for one.
    private static let pause: Int32 = 250

    /// Whether an answer is on its way: the process does not end before it is out.
    var isBusy: Bool { answering.load(ordering: .sequentiallyConsistent) > 0 }

    init(_ path: String, _ proxy: Proxy, version: String, limits: ProxyLimits) throws(SystemError) {
        socket = try UnixSocket.listen(path)
        self.proxy = proxy
        self.version = version
        self.limits = limits
    }

    /// A thread for each connection: a drain occupies its own.
    func serve() throws -> Never {
        while true {
            let raw = accept(socket.raw, nil, nil)
            guard raw >= 0 else {
                switch errno {
                case EINTR, ECONNABORTED: continue
                case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                    // Visitors have what there was; who gives orders waits until they leave some.
                    poll(nil, 0, ProxyDoor.pause)
                default: throw SystemError.last("accept")
                }
                continue
            }
            let connection = Descriptor(owning: raw)
            Thread.start { [self] in
                while let fields = try? Frame.read(from: connection), answer(fields, over: connection) {}
            }
        }
    }

    /// - Returns: whether the connection goes on.
    private func answer(_ fields: Fields, over connection: Descriptor) -> Bool {
        answering.add(1, ordering: .sequentiallyConsistent)
        defer { answering.subtract(1, ordering: .sequentiallyConsistent) }
        guard let reply = answer(fields, connection) else { return false }
        return (try? Frame.write(reply.fields, to: connection)) != nil
    }

    private func answer(_ fields: Fields, _ connection: Descriptor) -> ProxyReply? {
        let isAlone = fields.flag(Neighbours.mark)
        do {
            switch try ProxyRequest(fields) {
            case .hello:
                guard let own = ProcessIdentity(running: getpid()) else {
                    return .failed(code: "io", message: "/proc is not there")
                }
                return .hello(
                    version: version, process: own, generation: proxy.generation, proxy.addresses,
                    limits: limits.texts)
            case .apply(let table): return proxy.apply(table)
            case .follow(let table): return proxy.follow(table)
            case .drain(let upstream, let port, let milliseconds):
                return proxy.drain(upstream, port: port, milliseconds: milliseconds, alone: isAlone)
            case .certificates: return .certificates(proxy.certificates?.read() ?? [])
            case .statistics: return proxy.statistics(alone: isAlone)
            case .handOver(let successor, let milliseconds):
                proxy.handOver(to: successor, over: connection, milliseconds: milliseconds)
                return nil
            case .ready: return .failed(code: "malformed", message: "nothing is handed over here")
            case .shutdown(let milliseconds):
                proxy.shutdown(milliseconds: milliseconds)
                return .ok
            }
        } catch { return .failed(code: "malformed", message: "\(error)") }
    }
}
