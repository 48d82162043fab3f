// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// How connections end: what was sent arrives whole, and what is not whole never looks so.
struct EndsTests {
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private let name = "a/production/1"

    /// An answer of the proxy's own would become part of the body.
    @Test func aMalformedBodyAfterTheAnswerBeganCutsIt() throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            _ = try visitor.readHead()
            #expect(try visitor.read(4) == "part")
            try visitor.send("xyz\r\n")
            #expect(try visitor.readToEnd() == "")
            #expect(try proxy.idle(name).inFlight == 0)
        }
    }

    /// To a visitor of HTTP/1.0 the end of the connection is the end of the body: only a reset tells them apart.
    @Test func aBrokenAnswerWithoutLengthEndsInAReset() throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            _ = try peer.read(1)
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
            _ = try visitor.readHead()
            #expect(try visitor.read(4) == "half")
            // The instance ends with the chunk that says so still owing.
            try visitor.send("x")
            do {
                _ = try visitor.readToEnd()
                Issue.record("the answer looks whole")
            } catch let trouble as Trouble { #expect(trouble.description == "reset") }
            #expect(try proxy.idle(name).failed == 1)
        }
    }

    /// An instance that says no and closes, with the body still on its way to it, unread.
    @Test func anEarlyAnswerIsNotLostToTheResetBehindIt() throws {
        let arrived = Slot<Bool>()
        let go = Slot<Bool>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            _ = try go.take()
            try peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            for _ in 0..<5 {
                let visitor = try proxy.visitor()
                try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
                try visitor.send([UInt8](repeating: 0x61, count: 150_000))
                _ = try arrived.take()
                // More of the body is seen first, then the answer, then that the connection is gone.
                try proxy.standingStill {
                    try visitor.send([UInt8](repeating: 0x61, count: 10_000))
                    go.put(true)
                    usleep(20_000)
                }
                let (head, body) = try visitor.readMessage()
                #expect(head.hasPrefix("HTTP/1.1 413 "))
                #expect(body == "no")
            }
        }
    }

    @Test func requestsInFrontOfAHalfCloseAreAllAnswered() throws {
        let origin = try Origin.saying("hello")
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try proxy.standingStill {
                try visitor.send(get + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get)
                visitor.endSending()
            }
            for _ in 0..<3 { #expect(try visitor.readMessage().body == "hello") }
            #expect(try visitor.readToEnd() == "")
        }
    }

    @Test func aHalfCloseWithinABodyEndsTheRequest() throws {
        let arrived = Slot<Bool>()
        let ended = Slot<String>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            ended.put(try peer.readToEnd())
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            _ = try arrived.take()
            visitor.endSending()
            #expect(try ended.take() == "abc")
            #expect(try visitor.readToEnd() == "")
            #expect(try proxy.idle(name).failed == 0)
        }
    }

    /// Although nothing is read from the visitor while the instance reads nothing.
    @Test func aResetBehindAStalledBodyEndsTheRequest() throws {
        let arrived = Slot<Bool>()
        let over = Slot<Bool>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            _ = try over.take()
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            do {
                let visitor = try proxy.visitor()
                try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(64 << 20)\r\n\r\n")
                _ = try arrived.take()
                let chunk = [UInt8](repeating: 0x61, count: 1 << 20)
                var tries = 0
                while tries < 20 {
                    if visitor.sendWhatFits(chunk) > 0 { tries = 0 } else { tries += 1 }
                    usleep(5_000)
                }
                visitor.reset()
            }
            let counters = try proxy.idle(name)
            #expect(counters == .init(upstream: name, requests: 1))
            over.put(true)
        }
    }

    /// The last answer is still on its way when the visitor says that it will ask no more.
    @Test func aLateHalfCloseDoesNotTakeTheAnswerAway() throws {
        let size = 120_000
        let origin = try Origin.saying(String(repeating: "x", count: size))
        try ProxyHarness.with { proxy in
            proxy.shrinkBuffers()
            proxy.route(name, origin)
            let visitor = try proxy.visitor(buffers: 8 << 10)
            try visitor.send(get)
            let head = try visitor.readHead()
            #expect(head.contains("Content-Length: \(size)\r\n"))
            _ = try proxy.idle(name)
            visitor.endSending()
            #expect(try visitor.drain(size) == size)
            #expect(try visitor.readToEnd() == "")
        }
    }

    @Test func aTunnelIsHalfClosedLikeAnyConnection() throws {
        let said = Slot<String>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
            said.put(try peer.readToEnd())
            try peer.send("last words")
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            _ = try visitor.readHead()
            try visitor.send("bye")
            visitor.endSending()
            #expect(try said.take() == "bye")
            #expect(try visitor.readToEnd() == "last words")
            #expect(try proxy.idle(name).failed == 0)
        }
    }

    /// Without a reset: a visitor that closes is noticed when the next piece is sent to it.
    @Test func aStreamEndsWhenItsVisitorHasGone() throws {
        let ended = Slot<Bool>()
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            defer { ended.put(true) }
            while true {
                try peer.send("6\r\ndata\n\n\r\n")
                usleep(5_000)
            }
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            do {
                let visitor = try proxy.visitor()
                try visitor.send(get)
                _ = try visitor.readHead()
            }
            #expect(try ended.take())
            #expect(try proxy.idle(name).failed == 0)
        }
    }
}
