// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// A listening socket in one worker's set; the socket itself is shared by all workers.
final class Listener: Endpoint {
    private let door: Door
    private let socket: Descriptor

    /// What comes in there.
    enum Door: Hashable {
        /// Requests for any host name.
        case hosts
        /// The same over TLS.
        case secure
        /// What the stable port stands for.
        case port(UInt16)
    }

    init(_ socket: Descriptor, _ door: Door, worker: Worker) {
        self.door = door
        self.socket = socket
        super.init(fd: socket.raw, interest: Endpoint.input | UInt32(EPOLLEXCLUSIVE.rawValue), worker: worker)
    }

    override func ready(_ events: UInt32) {
        // Bounded, so that a flood of connections does not starve those that are served.
        for _ in 0..<64 {
            guard worker.hasRoom() else { return worker.pause(self) }
            var address = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    kinto_accept(fd, $0, &length)
                }
            }
            guard accepted >= 0 else {
                // Out of descriptors or memory: it would be reported again and again while nothing can be done.
                if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM {
                    worker.pause(self)
                }
                return
            }
            let visitor = Listener.text(address)
            guard worker.addresses.enter(visitor) else {
                refuse(accepted)
                continue
            }
            var one: Int32 = 1
            setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
            worker.add(connection(accepted, visitor))
        }
    }

    private func connection(_ fd: Int32, _ visitor: [UInt8]) -> Endpoint {
        switch door {
        case .hosts: ClientConnection(fd: fd, port: nil, address: visitor, worker: worker)
        case .port(let port): ClientConnection(fd: fd, port: port, address: visitor, worker: worker)
        case .secure: TLSHandshake(fd: fd, address: visitor, worker: worker)
        }
    }

    /// Told in one go and left: nothing is kept of one too many.
    private func refuse(_ visitor: Int32) {
        defer { Glibc.close(visitor) }
        if door == .secure { return }
        var answer = ByteQueue()
        OwnAnswer(503, "too many connections from your address", retry: true)
            .write(keepsAlive: false, bodiless: false, to: &answer)
        _ = answer.flush(to: visitor)
        shutdown(visitor, Int32(SHUT_WR))
    }

    private static func text(_ address: sockaddr_storage) -> [UInt8] {
        var address = address
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        withUnsafeMutableBytes(of: &address) { bytes in
            guard let base = bytes.baseAddress else { return }
            let isMapped = bytes[8..<18].allSatisfy { $0 == 0 } && bytes[18] == 0xFF && bytes[19] == 0xFF
            if Int32(bytes.load(as: sa_family_t.self)) == AF_INET {
                inet_ntop(AF_INET, base + 4, &buffer, socklen_t(buffer.count))
            } else if isMapped {
                // A visitor of IPv4 at a socket for both (RFC 4291, 2.5.5.2).
                inet_ntop(AF_INET, base + 20, &buffer, socklen_t(buffer.count))
            } else {
                inet_ntop(AF_INET6, base + 8, &buffer, socklen_t(buffer.count))
            }
        }
        return buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    }

    /// Binds and listens on a TCP address.
    /// - Parameter other: a listening socket that may have the same port at another address, or at all of them, and is
    ///   about to be closed.
    static func open(_ address: SocketAddress, beside other: Descriptor? = nil) throws(SystemError)
        -> Descriptor
    {
        func set(_ socket: Descriptor, _ level: Int32, _ option: Int32, _ value: Int32) {
            var value = value
            setsockopt(socket.raw, level, option, &value, 4)
        }
        let socket = try address.listen(backlog: 1024) { socket in
            // For the moment of the change: afterwards nobody else may listen there.
            if let other { for one in [socket, other] { set(one, SOL_SOCKET, SO_REUSEPORT, 1) } }
            // Accepted connections inherit these: a visitor that vanished without a word, from a tunnel that is silent,
            // say, is noticed after two minutes.
            set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
            set(socket, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60)
            set(socket, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 15)
            set(socket, Int32(IPPROTO_TCP), TCP_KEEPCNT, 4)
        }
        if let other { for one in [socket, other] { set(one, SOL_SOCKET, SO_REUSEPORT, 0) } }
        return socket
    }
}
