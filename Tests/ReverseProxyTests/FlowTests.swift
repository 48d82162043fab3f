// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// Large bodies and slow ends: what one side does not read, the other is not let send.
struct FlowTests {
    private static let size = 64 << 20
    private static let name = "a/production/1"

    @Test func aSlowVisitorSlowsTheInstanceDown() throws {
        let fitted = Slot<Int>()
        let sent = Slot<Bool>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(FlowTests.size)\r\n\r\n")
            let chunk = [UInt8](repeating: 0x61, count: 1 << 20)
            // Until nothing fits for half a second: what the proxy and the kernel's buffers took.
            var total = 0
            var tries = 0
            while tries < 50, total < FlowTests.size {
                let count = peer.sendWhatFits(Array(chunk.prefix(FlowTests.size - total)))
                if count > 0 {
                    total += count
                    tries = 0
                } else {
                    tries += 1
                    usleep(10_000)
                }
            }
            fitted.put(total)
            while total < FlowTests.size {
                let part = Array(chunk.prefix(FlowTests.size - total))
                try peer.send(part)
                total += part.count
            }
            sent.put(true)
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(FlowTests.name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try visitor.readHead()
            #expect(try fitted.take() < 40 << 20)
            #expect(try visitor.drain(FlowTests.size) == FlowTests.size)
            #expect(try sent.take())
            #expect(try proxy.idle(FlowTests.name).failed == 0)
        }
    }

    @Test func aSlowInstanceSlowsTheVisitorDown() throws {
        let go = Slot<Bool>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            _ = try go.take()
            let count = try peer.drain(FlowTests.size)
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(String(count).utf8.count)\r\n\r\n\(count)")
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(FlowTests.name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(FlowTests.size)\r\n\r\n")
            let chunk = [UInt8](repeating: 0x61, count: 1 << 20)
            var total = 0
            var tries = 0
            while tries < 50, total < FlowTests.size {
                let count = visitor.sendWhatFits(Array(chunk.prefix(FlowTests.size - total)))
                if count > 0 {
                    total += count
                    tries = 0
                } else {
                    tries += 1
                    usleep(10_000)
                }
            }
            #expect(total < 24 << 20)
            go.put(true)
            while total < FlowTests.size {
                let part = Array(chunk.prefix(FlowTests.size - total))
                try visitor.send(part)
                total += part.count
            }
            #expect(try visitor.readMessage().body == "\(FlowTests.size)")
        }
    }

    /// More visitors than descriptors: those that do not fit wait, and nothing spins.
    @Test func visitorsBeyondTheCapacityWaitTheirTurn() throws {
        let origin = try Origin.saying("turn")
        let listener = try Listener.open(.loopback(0))
        let port = try ProxyHarness.port(of: listener.raw)
        let mailbox = try Worker.Mailbox()
        let proxy = Proxy(mailboxes: [mailbox], snapshot: "/dev/null", addresses: ProxyAddresses(plain: ""))
        let rounds = Slot<Int>()
        ReverseProxy.Thread.start {
            guard let worker = try? Worker(mailbox: mailbox, capacity: 2) else { return }
            worker.run()
            rounds.put(worker.rounds)
        }
        proxy.open(listener, .hosts)
        _ = proxy.put(
            .init(
                generation: 1,
                routes: [
                    .init(
                        identifier: "a/production", hosts: ["a"],
                        upstream: .init(identifier: FlowTests.name, ports: [origin.port]))
                ]), save: false)
        var visitors = try (0..<6).map { _ in try Peer(connecting: port) }
        for visitor in visitors { try visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
        var answered = 0
        usleep(600_000)
        while !visitors.isEmpty {
            // In the order of their coming; each that leaves makes room for the next.
            #expect(try visitors[0].readMessage().body == "turn")
            answered += 1
            visitors.removeFirst()
        }
        #expect(answered == 6)
        let raw = listener.raw
        mailbox.post { worker in
            worker.forget(raw)
            worker.stop()
        }
        #expect(try rounds.take() < 500)
    }
}
