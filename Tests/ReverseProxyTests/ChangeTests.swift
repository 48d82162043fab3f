// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// What changes under requests on their way: instances, kept connections, the proxy's own end.
struct ChangeTests {
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private let name = "a/production/1"

    @Test func aReleaseWhoseInstancesChangeKeepsItsCounters() throws {
        let arrived = Slot<Bool>()
        let go = Slot<Bool>()
        let first = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            _ = try go.take()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
            _ = try peer.readToEnd()
        }
        let second = try Origin.saying("two")
        try ProxyHarness.with { proxy in
            proxy.route(name, first)
            let visitor = try proxy.visitor()
            try visitor.send(get)
            _ = try arrived.take()
            proxy.route(name, second)
            let other = try proxy.visitor()
            try other.send(get)
            #expect(try other.readMessage().body == "two")
            go.put(true)
            #expect(try visitor.readMessage().body == "one")
            #expect(try proxy.idle(name).untimed == .init(upstream: name, requests: 2, recent: 2))
            // The connection to the instance that left is not kept.
            try visitor.send(get)
            #expect(try visitor.readMessage().body == "two")
            guard case .drained(let counters, let cut) = proxy.proxy.drain(name, milliseconds: 10_000) else {
                Issue.record("not drained")
                return
            }
            #expect(counters.untimed == .init(upstream: name, requests: 3, recent: 3))
            #expect(cut == 0)
        }
    }

    @Test func aRequestCutByTheDrainIsToldSo() throws {
        let arrived = Slot<Bool>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send(get)
            _ = try arrived.take()
            proxy.route(nil)
            guard case .drained(let counters, let cut) = proxy.proxy.drain(name, milliseconds: 10) else {
                Issue.record("not drained")
                return
            }
            #expect(
                counters.untimed
                    == .init(upstream: name, requests: 1, failed: 1, errors: 1, recent: 1, recentErrors: 1))
            #expect(cut == 1)
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 504 "))
            #expect(try visitor.readToEnd() == "")
        }
    }

    @Test func aChangeTellsOfWhatLeftByItOnly() throws {
        let origin = try Origin.saying("here")
        try ProxyHarness.with { proxy in
            for (number, expected) in [(1, []), (2, ["r/1"]), (2, []), (3, ["r/2"]), (1, ["r/3"])] {
                guard case .applied(let left) = proxy.route("r/\(number)", origin) else {
                    Issue.record("not applied")
                    return
                }
                #expect(left.map(\.upstream) == expected)
            }
        }
    }

    /// The end of the kept connection is there, unread, when the request for it comes.
    @Test func aRequestIsNotSentOnAConnectionThatHasEnded() throws {
        let end = Slot<Bool>()
        let ended = Slot<Bool>()
        let origin = try Origin { peer in
            _ = try peer.readMessage()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            _ = try end.take()
            peer.endSending()
            ended.put(true)
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            for round in 1...10 {
                let visitor = try proxy.visitor()
                try visitor.send(get)
                #expect(try visitor.readMessage().body == "ok")
                try proxy.standingStill {
                    try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
                    end.put(true)
                    _ = try ended.take()
                }
                #expect(try visitor.readMessage().body == "ok")
                #expect(origin.connections == 2 * round)
                end.put(true)
                _ = try ended.take()
            }
            #expect(try proxy.idle(name).untimed == .init(upstream: name, requests: 20, recent: 20))
        }
    }

    @Test func aProxyThatStopsTakesNobodyNewAndLetsRequestsEnd() throws {
        let go = Slot<Bool>()
        let size = 120_000
        let origin = try Origin { peer in
            while true {
                let head = try peer.readHead()
                if head.hasPrefix("GET /slow") { _ = try go.take() }
                let body = head.hasPrefix("GET /large") ? String(repeating: "x", count: size) : "end"
                try peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
        try ProxyHarness.with { proxy in
            proxy.shrinkBuffers()
            proxy.route(name, origin)
            let slow = try proxy.visitor()
            try slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            // Its answer is complete, but not yet read.
            let large = try proxy.visitor(buffers: 8 << 10)
            try large.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try large.readHead()
            let idle = try proxy.visitor()
            try idle.send("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try idle.readMessage().body == "end")
            for _ in 0..<18_000 where proxy.counters(name)?.inFlight != 1 { usleep(10_000) }
            proxy.proxy.mailboxes[0].post { $0.stop() }
            #expect(try idle.readToEnd() == "")
            #expect(throws: Trouble.self) { try proxy.visitor() }
            go.put(true)
            let (head, body) = try slow.readMessage()
            #expect(head.contains("Connection: close\r\n"))
            #expect(body == "end")
            #expect(try large.drain(size) == size)
            #expect(try proxy.ended.take())
        }
    }

    @Test func visitorsThatVanishAreNoticed() throws {
        let listener = try Listener.open(.loopback(0))
        let visitor = try Peer(connecting: try ProxyHarness.port(of: listener.raw))
        let accepted = Peer(fd: accept(listener.raw, nil, nil))
        var (value, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        #expect(getsockopt(accepted.fd, SOL_SOCKET, SO_KEEPALIVE, &value, &length) == 0)
        #expect(value == 1)
        #expect(getsockopt(accepted.fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, &value, &length) == 0)
        #expect(value == 60)
        _ = visitor
    }

    @Test func aWaitWithoutLimitIsNotATrap() {
        let latch = Latch(1)
        latch.count()
        latch.wait(milliseconds: .max)
        Latch(1).wait(milliseconds: .min)
    }
}
