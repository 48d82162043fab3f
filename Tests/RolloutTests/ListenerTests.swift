// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing
import Wire

@testable import Rollout

/// Who is found to listen where.
struct ListenerTests {
    /// What Java binds to 127.0.0.1 is a socket of IPv6 with an address of IPv4, and 127.0.0.1 reaches it.
    @Test(arguments: [("::ffff:127.0.0.1", "127.0.0.1"), ("::ffff:0.0.0.0", "0.0.0.0"), ("::", "[::]")])
    func aSocketOfBothKindsIsReached(_ bound: String, _ told: String) throws {
        let port = try FreePort.take()
        let socket = Descriptor(owning: Glibc.socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0))
        var no: Int32 = 0
        setsockopt(socket.raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &no, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        #expect(inet_pton(AF_INET6, bound, &address.sin6_addr) == 1)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket.raw, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
        #expect(status == 0 && listen(socket.raw, 1) == 0)
        let found = try #require(Listeners.all(port: port).first)
        #expect(found.address == told)
        #expect(found.isReachable)
        #expect(Listeners.owner(of: port)?.pid == getpid())
    }
}
