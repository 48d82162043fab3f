// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// What a swap, a drain and a broken instance do to requests on their way.
struct SwapTests {
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private let old = "a/production/1"
    private let new = "a/production/2"

    @Test func aRequestOnItsWayEndsAtTheOldReleaseAndTheNextGoesToTheNew() throws {
        let arrived = Slot<Bool>()
        let go = Slot<Bool>()
        let first = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            _ = try go.take()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
            _ = try peer.readToEnd()
        }
        let second = try Origin.saying("new")
        try ProxyHarness.with { proxy in
            proxy.route(old, first)
            let visitor = try proxy.visitor()
            try visitor.send(get)
            _ = try arrived.take()
            guard case .applied(let left) = proxy.route(new, second) else {
                Issue.record("not applied")
                return
            }
            #expect(left.map(\.upstream) == [old])
            #expect(left.first?.inFlight == 1)
            // Another visitor is served by the new one at once.
            let other = try proxy.visitor()
            try other.send(get)
            #expect(try other.readMessage().body == "new")
            let drained = Slot<ProxyReply>()
            let (real, name) = (proxy.proxy, old)
            Foundation.Thread.detachNewThread { drained.put(real.drain(name, milliseconds: 10_000)) }
            go.put(true)
            #expect(try visitor.readMessage().body == "old")
            guard case .drained(let counters, let cut) = try drained.take() else {
                Issue.record("not drained")
                return
            }
            #expect(counters.untimed == .init(upstream: old, requests: 1, recent: 1))
            #expect(cut == 0)
            try visitor.send(get)
            #expect(try visitor.readMessage().body == "new")
        }
    }

    @Test func anUpgradedConnectionSurvivesTheSwapAndIsCutByTheDrain() throws {
        let echo = try Origin { peer in
            let head = try peer.readHead()
            guard head.contains("Upgrade: websocket\r\n"), head.contains("Connection: upgrade\r\n"),
                head.contains("Sec-WebSocket-Key: k\r\n")
            else { return }
            // The first bytes come right behind the head.
            try peer.send(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello"
            )
            while true { try peer.send("<\(try peer.read(4))>") }
        }
        let second = try Origin.saying("new")
        try ProxyHarness.with { proxy in
            proxy.route(old, echo)
            let tunnel = try proxy.visitor()
            try tunnel.send(
                "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
            )
            let head = try tunnel.readHead()
            #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(head.contains("Connection: upgrade\r\nUpgrade: websocket\r\n"))
            #expect(try tunnel.read(5) == "hello")
            proxy.route(new, second)
            for word in ["ping", "pong"] {
                try tunnel.send(word)
                #expect(try tunnel.read(6) == "<\(word)>")
            }
            let other = try proxy.visitor()
            try other.send(get)
            #expect(try other.readMessage().body == "new")
            guard case .drained(let counters, let cut) = proxy.proxy.drain(old, milliseconds: 50) else {
                Issue.record("not drained")
                return
            }
            #expect(cut == 1)
            #expect(counters.inFlight == 0)
            #expect(try tunnel.readToEnd() == "")
        }
    }

    @Test func anUnaskedUpgradeIsAFault() throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(old, origin)
            let visitor = try proxy.visitor()
            try visitor.send(get)
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 502 "))
        }
    }

    /// The instance closes a kept connection just when a request is sent on it.
    @Test func aStaleConnectionIsTriedAgainForWhatMayBeRepeated() throws {
        let bodies = Slot<String>()
        let origin = try Origin { peer in
            _ = try peer.readMessage()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            // The second request on a connection is read and dropped without an answer.
            let (head, body) = try peer.readMessage()
            if head.hasPrefix("POST") { bodies.put(body) }
        }
        try ProxyHarness.with { proxy in
            proxy.route(old, origin)
            // A connection that was quiet for long is not used again: where the machine stands still this is done once more.
            for round in 1...100 {
                let visitor = try proxy.visitor()
                let began = ContinuousClock.now
                try visitor.send(get)
                #expect(try visitor.readMessage().body == "ok")
                try visitor.send(get)
                #expect(try visitor.readMessage().body == "ok")
                let (connections, retried) = (origin.connections, try proxy.idle(old).retried)
                let isQuick = ContinuousClock.now - began < .milliseconds(250)
                if round == 1, isQuick { #expect(connections == 2 && retried == 1) }
                // A POST that was sent is never sent again.
                let last = ContinuousClock.now
                try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nonce")
                let answer = try visitor.readMessage()
                if answer.body == "ok", ContinuousClock.now - last > .milliseconds(200) || !isQuick {
                    continue
                }
                #expect(answer.head.hasPrefix("HTTP/1.1 502 "))
                #expect(try bodies.take() == "once")
                #expect(origin.connections == connections)
                let counters = try proxy.idle(old)
                #expect(counters.retried == retried)
                #expect(counters.failed == 1)
                return
            }
            Issue.record("the machine stands still")
        }
    }

    @Test func anInstanceThatRefusesConnectionsIsPassedOver() throws {
        let dead = try FreePort.take()
        let alive = try Origin.saying("alive")
        try ProxyHarness.with { proxy in
            proxy.route(old, ports: [dead, alive.port])
            for _ in 0..<10 {
                let visitor = try proxy.visitor()
                try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
                let (head, body) = try visitor.readMessage()
                #expect(body == "alive", "\(head)\(body)")
            }
            proxy.route(new, ports: [dead])
            let visitor = try proxy.visitor()
            try visitor.send(get)
            let (head, body) = try visitor.readMessage()
            #expect(head.hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"))
            #expect(body.contains("does not accept connections"))
        }
    }

    @Test(arguments: [
        "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "",
    ])
    func malformedAnswersBecome502(answer: String) throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send(answer)
        }
        try ProxyHarness.with { proxy in
            proxy.route(old, origin)
            let visitor = try proxy.visitor()
            try visitor.send(get)
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"))
            #expect(try proxy.idle(old).failed == 1)
        }
    }

    @Test(arguments: ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"])
    func aBrokenAnswerNeverLooksWhole(rest: String) throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 200 OK\r\n" + rest)
        }
        try ProxyHarness.with { proxy in
            proxy.route(old, origin)
            let visitor = try proxy.visitor()
            try visitor.send(get)
            _ = try visitor.readHead()
            let body = try visitor.readToEnd()
            #expect(body.contains("half"))
            #expect(!body.contains("0\r\n\r\n"))
            #expect(try proxy.idle(old).failed == 1)
        }
    }

    @Test func aVisitorThatLeavesIsNotMissed() throws {
        let left = Slot<Bool>()
        let arrived = Slot<Bool>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            _ = try? peer.readToEnd()
            left.put(true)
        }
        try ProxyHarness.with { proxy in
            proxy.route(old, origin)
            do {
                let visitor = try proxy.visitor()
                try visitor.send(get)
                _ = try arrived.take()
                visitor.reset()
            }
            #expect(try left.take())
            let counters = try proxy.idle(old)
            #expect(counters.requests == 1)
            #expect(counters.failed == 0)
        }
    }

    @Test func aStablePortIsServedAndATakenOneLeavesTheTableAsItWas() throws {
        let (first, second) = (try Origin.saying("one"), try Origin.saying("two"))
        let free = try Listener.open(.loopback(0))
        let stable = try ProxyHarness.port(of: free.raw)
        try ProxyHarness.with { proxy in
            proxy.route(old, first)
            // Someone holds the port: nothing changes.
            guard case .failed(let code, _) = proxy.route(new, second, stable: stable) else {
                Issue.record("applied")
                return
            }
            #expect(code == "port-taken")
            let visitor = try proxy.visitor()
            try visitor.send(get)
            #expect(try visitor.readMessage().body == "one")
        }
        _ = free
    }

    @Test func aStablePortNeedsNoHostName() throws {
        let origin = try Origin.saying("one")
        let stable = try FreePort.take()
        try ProxyHarness.with { proxy in
            proxy.route(old, origin, stable: stable)
            let visitor = try Peer(connecting: stable)
            try visitor.send("GET / HTTP/1.1\r\nHost: whatever\r\n\r\n")
            #expect(try visitor.readMessage().body == "one")
            // Without the port in the table, connections that came over it are told.
            proxy.route(nil, ports: [])
            try visitor.send(get)
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 404 "))
        }
    }
}
