// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// How streams end that outlive the drain of their release.
@Suite(.timeLimit(.minutes(20)))
struct StreamEndTests {
    private let old = "a/production/1"
    private let upgrade =
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    private static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    /// The release is replaced and its drain is over at once; how many were cut.
    private func replace(_ proxy: ProxyHarness) throws -> (ProxyReply.Counters, UInt64) {
        let second = try Origin.saying("new")
        proxy.route("a/production/2", second)
        guard case .drained(let counters, let cut) = proxy.proxy.drain(old, milliseconds: 50) else {
            throw Trouble("not drained")
        }
        return (counters, cut)
    }

    @Test(arguments: [
        // A text frame, one with an extended length, one that is fragmented: whole ones.
        ([0x81, 0x02, 0x68, 0x69], true),
        ([0x81, 0x7E, 0x00, 0x80] + [UInt8](repeating: 0x61, count: 128), true),
        ([0x01, 0x01, 0x61, 0x80, 0x01, 0x62], true),
        // In the middle of a frame, of its length, and after a Close frame nothing may be put in.
        ([0x81, 0x05, 0x68, 0x69], false), ([0x81, 0x7F, 0x00], false), ([0x88, 0x02, 0x03, 0xE8], false),
    ])
    func aWebSocketGetsItsCloseFrameBetweenFrames(sent: [UInt8], closes: Bool) throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send(Array(Self.switching.utf8) + sent)
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(old, origin)
            let visitor = try proxy.visitor()
            try visitor.send(upgrade)
            _ = try visitor.readHead()
            let (counters, cut) = try replace(proxy)
            #expect(cut == 1)
            #expect(counters.failed == 1)
            #expect(counters.inFlight == 0)
            let rest = Array(try visitor.readToEnd().utf8)
            let wanted = closes ? sent + WebSocketFrames.close : sent
            #expect(rest == Array(String(decoding: wanted, as: UTF8.self).utf8))
        }
    }

    @Test(arguments: ["Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", "\r\ndata: 1\n\n"])
    func aStreamOfEventsEndsWhole(answer: String) throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n" + answer)
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(old, origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try visitor.readHead().contains("Transfer-Encoding: chunked\r\n"))
            #expect(try visitor.read(14) == "9\r\ndata: 1\n\n\r\n")
            #expect(try replace(proxy).1 == 1)
            #expect(try visitor.readToEnd() == "0\r\n\r\n")
        }
    }

    @Test func aDownloadIsNeverMadeToLookWhole() throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(old, origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try visitor.readHead()
            #expect(try visitor.read(9) == "4\r\nhalf\r\n")
            #expect(try replace(proxy).1 == 1)
            #expect(try visitor.readToEnd() == "")
        }
    }

    @Test func aDrainOfWhatIsBackInForceEndsAtOnceAndCutsNothing() throws {
        let go = Slot<Bool>()
        let arrived = Slot<Bool>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            _ = try go.take()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        let second = try Origin.saying("new")
        try ProxyHarness.with { proxy in
            proxy.route(old, origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try arrived.take()
            proxy.route("a/production/2", second)
            let drained = Slot<ProxyReply>()
            let (real, name) = (proxy.proxy, old)
            Foundation.Thread.detachNewThread { drained.put(real.drain(name, milliseconds: 60_000)) }
            // Whether the drain waits already or begins only now.
            proxy.route(old, origin)
            guard case .drained(_, let cut) = try drained.take() else {
                Issue.record("not drained")
                return
            }
            #expect(cut == 0)
            go.put(true)
            #expect(try visitor.readMessage().body == "ok")
        }
    }

    @Test func anInstanceThatLeavesIsDrainedOnItsOwn() throws {
        let go = Slot<Bool>()
        let arrived = Slot<Bool>()
        let slow = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            _ = try go.take()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")
            _ = try peer.readToEnd()
        }
        let quick = try Origin.saying("quick")
        try ProxyHarness.with { proxy in
            proxy.route(old, slow)
            let visitor = try proxy.visitor()
            try visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try arrived.take()
            proxy.route(old, quick)
            // Late: cut, and told so.
            guard
                case .drained(let counters, let cut) = proxy.proxy.drain(
                    old, port: slow.port, milliseconds: 50)
            else {
                Issue.record("not drained")
                return
            }
            #expect(cut == 1)
            #expect(counters.inFlight == 0)
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 504 "))
            go.put(true)
            let other = try proxy.visitor()
            try other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try other.readMessage().body == "quick")
            // One that has nothing to do is drained at once, and what the others do is not waited for.
            #expect(
                proxy.proxy.drain(old, port: slow.port, milliseconds: 60_000)
                    == .drained(try proxy.idle(old), cut: 0))
        }
    }
}
