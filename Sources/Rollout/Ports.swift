// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization
public import Wire

/// Who listens where on this host.
public enum Listeners {
    public struct Listener: Sendable, Equatable {
        public let port: UInt16
        /// As people write it: `127.0.0.1`, `[::1]`, `0.0.0.0`.
        public let address: String
        let inode: UInt32
        let family: UInt8

        /// Whether a connection to 127.0.0.1 reaches it.
        var isReachable: Bool { address == "127.0.0.1" || address == "0.0.0.0" || address == "[::]" }
        public var description: String { "\(address):\(port)" }
    }

    /// All listening TCP sockets, or those of one port.
    public static func all(port: UInt16 = 0) -> [Listener] {
        var buffer = [kinto_listener](repeating: kinto_listener(), count: port == 0 ? 4096 : 64)
        let count = kinto_listeners(port, &buffer, Int32(buffer.count))
        return buffer.prefix(Int(max(0, min(count, Int32(buffer.count))))).map { raw in
            let address = withUnsafeBytes(of: raw.address) { Array($0) }
            return Listener(
                port: raw.port, address: text(address, family: raw.family), inode: raw.inode,
                family: raw.family)
        }
    }

    /// Those that processes of a supervisor's tree hold.
    public static func of(_ supervisor: ProcessIdentity, port: UInt16 = 0) -> [Listener] {
        let listeners = all(port: port)
        guard !listeners.isEmpty, supervisor.isRunning else { return [] }
        let inodes = ProcessTable.descendants(of: supervisor.pid)
            .reduce(into: Set<UInt32>()) { $0.formUnion(ProcessTable.socketInodes(of: $1)) }
        return listeners.filter { inodes.contains($0.inode) }
    }

    /// The process that listens on a port of the loopback address: pid and name.
    public static func owner(of port: UInt16) -> (pid: Int32, name: String)? {
        let inodes = Set(all(port: port).filter(\.isReachable).map(\.inode))
        guard !inodes.isEmpty else { return nil }
        for pid in ProcessTable.all() where !inodes.isDisjoint(with: ProcessTable.socketInodes(of: pid)) {
            return (pid, ProcessTable.stat(pid)?.name ?? "?")
        }
        return (0, "another user's program")
    }

    private static func text(_ address: [UInt8], family: UInt8) -> String {
        // How a socket for both kinds has an address of IPv4 (RFC 4291, 2.5.5.2): Java's all are so.
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        if family == 6, address.starts(with: mapped) { return text(Array(address.dropFirst(12)), family: 4) }
        var address = address
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(family == 6 ? AF_INET6 : AF_INET, &address, &buffer, socklen_t(buffer.count))
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return family == 6 ? "[\(text)]" : text
    }
}

/// Gives out private loopback ports, below the range from which the kernel takes those of outgoing connections.
public final class PortAllocator: Sendable {
    private let given = Mutex<Set<UInt16>>([])

    public init() {}

    /// Ports of instances that run already.
    public func reserve(_ ports: some Sequence<UInt16>) { given.withLock { $0.formUnion(ports) } }
    public func release(_ port: UInt16) { given.withLock { _ = $0.remove(port) } }

    /// A port that nobody listens on and that was not given out.
    public func take() throws(SystemError) -> UInt16 {
        for _ in 0..<1000 {
            let port = UInt16.random(in: 20_000...29_999)
            guard given.withLock({ $0.insert(port).inserted }) else { continue }
            do throws(SystemError) {
                if try isFree(port) { return port }
            } catch {
                release(port)
                throw error
            }
            release(port)
        }
        throw SystemError("bind", "127.0.0.1:20000-29999", code: EADDRINUSE)
    }

    private func isFree(_ port: UInt16) throws(SystemError) -> Bool {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw .last("socket", "127.0.0.1:\(port)") }
        defer { close(raw) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
