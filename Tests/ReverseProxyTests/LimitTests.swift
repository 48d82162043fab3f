// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import Wire

@testable import ReverseProxy

/// What bounds visitors, each bound set to something else than its default.
struct LimitTests {
    private let name = "a/production/1"
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test(arguments: [
        ("header-bytes=1KiB", "X: \(String(repeating: "x", count: 1000))\r\n", "/", "431"),
        ("header-bytes=64KiB", "X: \(String(repeating: "x", count: 60_000))\r\n", "/", "200"),
        ("header-fields=8", String(repeating: "X: y\r\n", count: 8), "/", "431"),
        ("header-fields=200", String(repeating: "X: y\r\n", count: 199), "/", "200"),
        ("request-line=64B", "", "/\(String(repeating: "x", count: 60))", "414"),
        ("request-line=16KiB", "", "/\(String(repeating: "x", count: 10_000))", "200"),
    ])
    func aHeadMayBeSoLarge(limit: String, fields: String, target: String, status: String) throws {
        let origin = try Origin.saying("here")
        try ProxyHarness.with(limit) { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET \(target) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 \(status) "))
        }
    }

    /// However it comes: byte by byte is no way to have more time.
    @Test func aHeadThatDoesNotEndInTimeIsA408() throws {
        try ProxyHarness.with("header-time=300ms") { proxy in
            let visitor = try proxy.visitor()
            let start = ContinuousClock.now
            for byte in Array("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "y", count: 60))".utf8) {
                // Refused in the end.
                guard (try? visitor.send([byte])) != nil else { break }
                usleep(20_000)
            }
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 408 "))
            #expect(ContinuousClock.now - start < .seconds(180))
        }
    }

    @Test func aConnectionThatIdlesIsClosed() throws {
        let origin = try Origin.saying("here")
        try ProxyHarness.with("idle-time=3s") { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send(get)
            #expect(try visitor.readMessage().body == "here")
            #expect(try visitor.readToEnd() == "")
        }
    }

    @Test func aBodyThatStallsEndsItsRequest() throws {
        let origin = try Origin { peer in _ = try peer.readToEnd() }
        try ProxyHarness.with("stall-time=300ms") { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            #expect(try visitor.readToEnd() == "")
            #expect(try proxy.idle(name).requests == 1)
        }
    }

    @Test func anAnswerThatNobodyReadsEndsItsRequest() throws {
        let origin = try Origin { peer in
            _ = try peer.readMessage()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
            try peer.send([UInt8](repeating: 0, count: 50_000_000))
        }
        try ProxyHarness.with("stall-time=300ms") { proxy in
            proxy.route(name, origin)
            proxy.shrinkBuffers()
            let visitor = try proxy.visitor(buffers: 8 << 10)
            try visitor.send(get)
            _ = try visitor.readHead()
            #expect(try proxy.idle(name).requests == 1)
        }
    }

    /// Those that rest give way; those that are served do not.
    @Test func whoOnlyKeepsAConnectionKeepsNobodyOut() throws {
        let go = Slot<Bool>()
        let origin = try Origin { peer in
            while true {
                if try peer.readMessage().head.hasPrefix("GET /wait ") { _ = try go.take() }
                try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")
            }
        }
        try ProxyHarness.with("connections=3") { proxy in
            proxy.route(name, origin)
            let served = try proxy.visitor()
            try served.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            let resting = [try proxy.visitor(), try proxy.visitor()]
            for visitor in resting {
                try visitor.send(get)
                #expect(try visitor.readMessage().body == "here")
            }
            for _ in 0..<2 {
                let visitor = try proxy.visitor()
                try visitor.send(get)
                #expect(try visitor.readMessage().body == "here")
            }
            go.put(true)
            #expect(try served.readMessage().body == "here")
        }
    }

    @Test func oneAddressHasSoManyConnections() throws {
        let origin = try Origin.saying("here")
        try ProxyHarness.with("loopback-connections=3") { proxy in
            proxy.route(name, origin)
            func ask(_ visitor: Peer) throws -> String {
                try visitor.send(get)
                return try visitor.readMessage().body
            }
            var visitors = try (0..<3).map { _ in try proxy.visitor(from: "127.0.0.2") }
            for visitor in visitors { #expect(try ask(visitor) == "here") }
            let oneTooMany = try proxy.visitor(from: "127.0.0.2")
            let answer = try oneTooMany.readToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"), "\(answer)")
            #expect(answer.contains("Retry-After: 1\r\nConnection: close\r\n"))
            // Others are not concerned.
            #expect(try ask(proxy.visitor(from: "127.0.0.3")) == "here")
            for visitor in visitors { #expect(try ask(visitor) == "here") }
            // One that leaves makes room, as soon as the proxy has seen it leave.
            visitors.removeLast().reset()
            for _ in 0..<5_000 {
                let next = try proxy.visitor(from: "127.0.0.2")
                if let body = try? ask(next), body == "here" { return }
                usleep(10_000)
            }
            Issue.record("no room was made")
        }
    }

    /// Who has one address of IPv6 has as many as there are in its network (RFC 4291, 2.5.1).
    @Test func theAddressesOfANetworkOfIPv6AreOne() throws {
        let counts = AddressCounts(try ProxyLimits(["address-connections=2"]))
        func enter(_ text: String) -> Bool { counts.enter(Array(text.utf8)) }
        #expect(enter("2001:db8:1:2::1"))
        #expect(enter("2001:db8:1:2:ffff::9"))
        #expect(!enter("2001:db8:1:2:3:4:5:6"))
        #expect(enter("2001:db8:1:3::1"))
        #expect(enter("192.0.2.1"))
        counts.leave(Array("2001:db8:1:2::1".utf8))
        #expect(enter("2001:db8:1:2::77"))
        #expect(!enter("2001:db8:1:2::78"))
    }

    @Test func aProxyInFrontMaySpeakForAll() {
        let counts = AddressCounts()
        let (visitor, local) = (Array("192.0.2.1".utf8), Array("127.0.0.1".utf8))
        for _ in 0..<1000 { #expect(counts.enter(visitor)) }
        #expect(!counts.enter(visitor))
        #expect(counts.enter(Array("192.0.2.2".utf8)))
        for _ in 0..<2000 { #expect(counts.enter(local)) }
        counts.leave(visitor)
        #expect(counts.enter(visitor))
        #expect(!counts.enter(visitor))
    }

    /// Hundreds that send a head, a body or nothing at all as slowly as can be.
    @Test func theSlowDoNotStarveTheQuick() throws {
        let origin = try Origin { peer in
            while true {
                let (head, _) = try peer.readMessage()
                guard head.hasPrefix("GET ") else { return }
                try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")
            }
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            var slow: [Peer] = []
            for number in 0..<300 {
                let visitor = try proxy.visitor()
                switch number % 3 {
                case 0: try visitor.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
                case 1: try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
                default: break
                }
                slow.append(visitor)
            }
            let quick = try proxy.visitor()
            for round in 0..<200 {
                if round % 20 == 0 {
                    for (number, visitor) in slow.enumerated() where number % 3 != 2 {
                        // Where the machine is slow it may have lost its place by now.
                        try? visitor.send("x")
                    }
                }
                try quick.send(get)
                #expect(try quick.readMessage().body == "here")
                let fresh = try proxy.visitor()
                try fresh.send(get)
                #expect(try fresh.readMessage().body == "here")
            }
        }
    }

    /// Also when they have taken all the places that there are.
    @Test func theSlowLoseTheirPlaces() throws {
        let origin = try Origin.saying("here")
        try ProxyHarness.with("connections=50", "header-time=2s") { proxy in
            proxy.route(name, origin)
            var slow: [Peer] = []
            for number in 0..<150 {
                let visitor = try proxy.visitor()
                if number % 2 == 0 { try? visitor.send("GET / HT") }
                slow.append(visitor)
            }
            let visitor = try proxy.visitor()
            try visitor.send(get)
            #expect(try visitor.readMessage().body == "here")
        }
    }
}
