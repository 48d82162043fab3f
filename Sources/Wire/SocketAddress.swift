// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// `ADDRESS:PORT` to listen on: `0.0.0.0:80`, `[2001:db8::7]:443`. `[::]:80` stands for all addresses of both kinds.
public struct SocketAddress: Sendable, Equatable, CustomStringConvertible {
    /// Without brackets.
    public let host: String
    public let port: UInt16
    /// AF_INET or AF_INET6.
    public let family: Int32

    /// nil when it is none.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else { return nil }
        var host = text[..<colon]
        family = host.hasPrefix("[") && host.hasSuffix("]") ? AF_INET6 : AF_INET
        if family == AF_INET6 { host = host.dropFirst().dropLast() }
        var bytes = in6_addr()
        guard inet_pton(family, String(host), &bytes) == 1 else { return nil }
        self.host = String(host)
        self.port = port
    }

    private init(host: String, port: UInt16) {
        (self.host, self.port, family) = (host, port, AF_INET)
    }

    /// On 127.0.0.1; 0: a port that is free.
    public static func loopback(_ port: UInt16) -> SocketAddress { .init(host: "127.0.0.1", port: port) }

    /// With brackets where a port may follow only after them (RFC 3986, 3.2.2).
    public var writtenHost: String { family == AF_INET6 ? "[\(host)]" : host }
    public var description: String { "\(writtenHost):\(port)" }

    /// A new socket that is bound to it and listens; close-on-exec, not blocking.
    /// - Parameter prepare: is called before it is bound.
    public func listen(backlog: Int32, prepare: (Descriptor) -> Void = { _ in }) throws(SystemError)
        -> Descriptor
    {
        let socket = Descriptor(
            owning: try check("socket") {
                Glibc.socket(
                    family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
        set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
        // `[::]` takes visitors of IPv4, whatever the system's default is.
        if family == AF_INET6 { set(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        prepare(socket)
        try check("bind", description) { withAddress { bind(socket.raw, $0, $1) } }
        try check("listen", description) { Glibc.listen(socket.raw, backlog) }
        return socket
    }

    private func set(_ socket: Descriptor, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(socket.raw, level, option, &value, 4)
    }

    private func withAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var storage = sockaddr_storage()
        return withUnsafeMutablePointer(to: &storage) { pointer in
            let length: Int
            if family == AF_INET6 {
                length = MemoryLayout<sockaddr_in6>.size
                pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { name in
                    name.pointee.sin6_family = sa_family_t(AF_INET6)
                    name.pointee.sin6_port = port.bigEndian
                    inet_pton(AF_INET6, host, &name.pointee.sin6_addr)
                }
            } else {
                length = MemoryLayout<sockaddr_in>.size
                pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { name in
                    name.pointee.sin_family = sa_family_t(AF_INET)
                    name.pointee.sin_port = port.bigEndian
                    inet_pton(AF_INET, host, &name.pointee.sin_addr)
                }
            }
            return pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
        }
    }
}
