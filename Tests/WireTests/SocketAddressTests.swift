// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import Wire

struct SocketAddressTests {
    @Test(arguments: ["127.0.0.1:80", "0.0.0.0:65535", "[::]:443", "[::1]:7780", "[2001:db8::7]:1"])
    func anAddressIsWrittenAsItWasRead(text: String) throws {
        let address = try #require(SocketAddress(text))
        #expect(address.description == text)
        #expect(address.family == (text.hasPrefix("[") ? AF_INET6 : AF_INET))
    }

    @Test(arguments: [
        "", ":", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
        "localhost:80",
        "127.1:80", "::1:80", "[::1]", "[127.0.0.1]:80", "[::1:80", "[]:80", "[::1%lo]:80",
    ])
    func whatIsNoAddressIsNone(text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func theUnspecifiedAddressTakesVisitorsOfBothKinds() throws {
        let listener = try #require(SocketAddress("[::]:0")).listen(backlog: 4)
        var name = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        _ = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(listener.raw, $0, &length)
            }
        }
        for family in [AF_INET, AF_INET6] {
            let visitor = Descriptor(owning: socket(family, Int32(SOCK_STREAM.rawValue), 0))
            var six = sockaddr_in6()
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = name.sin6_port
            six.sin6_addr = in6addr_loopback
            var four = sockaddr_in()
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = name.sin6_port
            four.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let code =
                family == AF_INET
                ? withUnsafePointer(to: &four) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(visitor.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                : withUnsafePointer(to: &six) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(visitor.raw, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                    }
                }
            #expect(code == 0)
        }
    }
}
