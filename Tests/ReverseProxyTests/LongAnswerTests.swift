// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// Answers that are long enough to go by way of the kernel only.
@Suite(.timeLimit(.minutes(20)))
struct LongAnswerTests {
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private let name = "a/production/1"
    private static let length = 5 << 20
    /// A pattern whose length is prime, so that no shifted piece looks right.
    private static let body: [UInt8] = {
        let pattern = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        var body: [UInt8] = []
        while body.count < length { body += pattern }
        return Array(body[..<length])
    }()

    private func head(_ length: Int = length) -> String {
        "HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n"
    }

    private func same(_ peer: Peer, _ count: Int = length) throws -> Bool {
        try peer.readBytes(count) == Array(Self.body.prefix(count))
    }

    @Test func everyByteComesAndTheConnectionsLiveOn() throws {
        let origin = try Origin { [head] peer in
            while true {
                _ = try peer.readMessage()
                try peer.send(Array(head(Self.length).utf8) + Self.body)
            }
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            // The second one waits in the same packet.
            try visitor.send(get + get)
            for _ in 0..<2 {
                _ = try visitor.readHead()
                #expect(try same(visitor))
            }
            try visitor.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try visitor.readHead().contains("Content-Length: \(Self.length)\r\n"))
            #expect(try proxy.idle(name).untimed == .init(upstream: name, requests: 3, recent: 3))
        }
    }

    @Test func manyAtATimeAndSlowOnesAreNotMixedUp() throws {
        let origin = try Origin { [head] peer in
            while true {
                _ = try peer.readMessage()
                try peer.send(Array(head(Self.length).utf8) + Self.body)
            }
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            proxy.shrinkBuffers()
            let visitors = try (0..<8).map { _ in try proxy.visitor(buffers: 16 << 10) }
            for visitor in visitors { try visitor.send(get) }
            for visitor in visitors { _ = try visitor.readHead() }
            // All of them stand still, and another one is served meanwhile.
            let quick = try proxy.visitor()
            try quick.send(get)
            _ = try quick.readHead()
            #expect(try same(quick))
            for visitor in visitors { #expect(try same(visitor)) }
            #expect(try proxy.idle(name).failed == 0)
        }
    }

    @Test(arguments: [false, true])
    func anInstanceThatBreaksOffIsNoticed(byReset: Bool) throws {
        let half = Self.length / 2
        let origin = try Origin { [head] peer in
            _ = try peer.readHead()
            try peer.send(Array(head(Self.length).utf8) + Self.body.prefix(half))
            _ = try peer.read(1)
            if byReset { peer.reset() }
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
            _ = try visitor.readHead()
            #expect(try same(visitor, half))
            // It is told to break off only now.
            try visitor.send("x")
            #expect(try visitor.drain(1) == 0)
            #expect(try proxy.idle(name).failed == 1)
        }
    }

    /// What came for a visitor who resets its connection meanwhile is spliced to nobody: SIGPIPE, which ends a process.
    @Test func aVisitorWhoIsGoneEndsNoProcess() throws {
        let (go, sent) = (Slot<Bool>(), Slot<Bool>())
        let half = Self.length / 2
        let origin = try Origin { [head] peer in
            _ = try peer.readMessage()
            try peer.send(Array(head(1 << 30).utf8) + Self.body.prefix(half))
            _ = try go.take()
            try peer.send(Array(Self.body.prefix(300_000)))
            sent.put(true)
            _ = try peer.read(1)
        }
        let second = try Origin.saying("served")
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            // Once the kernel tells of the answer before it tells of the reset.
            var isHeld = false
            for _ in 0..<50 where !isHeld {
                var visitor: Peer? = try proxy.visitor()
                try visitor?.send(get)
                _ = try visitor?.readHead()
                _ = try visitor?.readBytes(half)
                try proxy.standingStill {
                    go.put(true)
                    _ = try sent.take()
                    visitor?.reset()
                    visitor = nil
                }
                let held = Slot<Bool>()
                proxy.proxy.mailboxes[0].post { _ in
                    var signals = sigset_t()
                    sigpending(&signals)
                    held.put(sigismember(&signals, SIGPIPE) == 1)
                }
                isHeld = try held.take()
            }
            #expect(isHeld)
            proxy.route("a/production/2", second)
            let other = try proxy.visitor()
            try other.send(get)
            #expect(try other.readMessage().body == "served")
        }
    }

    @Test func aVisitorWhoLeavesAndADrainThatIsOverEndIt() throws {
        let closed = Slot<Bool>()
        let origin = try Origin { [head] peer in
            _ = try peer.readMessage()
            try? peer.send(Array(head(1 << 30).utf8) + Self.body)
            do { while true { try peer.send(Self.body) } } catch { closed.put(true) }
        }
        let second = try Origin.saying("new")
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            do {
                let visitor = try proxy.visitor()
                try visitor.send(get)
                _ = try visitor.readHead()
                #expect(try visitor.drain(3 << 20) >= 3 << 20)
            }
            _ = try closed.take()
            #expect(try proxy.idle(name).failed == 0)
            let visitor = try proxy.visitor()
            try visitor.send(get)
            _ = try visitor.readHead()
            #expect(try visitor.drain(3 << 20) >= 3 << 20)
            proxy.route("a/production/2", second)
            guard case .drained(let counters, let cut) = proxy.proxy.drain(name, milliseconds: 20) else {
                Issue.record("not drained")
                return
            }
            #expect(cut == 1)
            #expect(counters.failed == 1)
            _ = try closed.take()
        }
    }
}
