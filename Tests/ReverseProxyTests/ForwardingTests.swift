// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import Wire

@testable import ReverseProxy

/// What goes through, byte by byte, over real sockets.
struct ForwardingTests {
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test func aRequestIsWrittenAnewWithWhereItCameFrom() throws {
        let seen = Slot<String>()
        let origin = try Origin { peer in
            seen.put(try peer.readHead())
            try peer.send(
                "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\nX-Own: 1\r\nConnection: x-drop\r\nX-Drop: 1\r\n\r\nok"
            )
        }
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            try visitor.send(
                "GET /x?y=%20 HTTP/1.1\r\nhost: A\r\nAccept:  text/html \r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nKeep-Alive: 3\r\nProxy-Connection: keep-alive\r\nTE: trailers, deflate\r\nVia: 1.0 front\r\n\r\n"
            )
            let (head, body) = try visitor.readMessage()
            #expect(head == "HTTP/1.1 200 Fine\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\n")
            #expect(body == "ok")
            #expect(
                try seen.take()
                    == "GET /x?y=%20 HTTP/1.1\r\nHost: A\r\nAccept: text/html\r\nTE: trailers\r\n"
                    + "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: A\r\n"
                    + "Forwarded: for=127.0.0.1;host=\"A\";proto=http\r\nVia: 1.0 front, 1.1 kinto\r\n\r\n")
        }
    }

    @Test func connectionsAreKeptOnBothSides() throws {
        let origin = try Origin.saying("hello")
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            // What must not be sent twice goes on a connection that was used a moment ago: where the machine stands still for
            // longer, on another.
            var (last, pauses) = (ContinuousClock.now, 0)
            for _ in 0..<20 {
                try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get)
                #expect(try visitor.readMessage().body == "hello")
                #expect(try visitor.readMessage().body == "hello")
                if ContinuousClock.now - last > .milliseconds(250) { pauses += 1 }
                last = .now
            }
            #expect(origin.connections <= 1 + pauses)
            #expect(try proxy.idle("a/production/1").requests == 40)
        }
    }

    @Test func tenThousandRequestsInOneGoAreAnsweredInOrder() throws {
        let origin = try Origin { peer in
            while true {
                let path = try peer.readHead().split(separator: " ")[1]
                try peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(path.utf8.count)\r\n\r\n\(path)")
            }
        }
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            let writer = Peer(fd: dup(visitor.fd))
            let sent = Slot<Bool>()
            nonisolated(unsafe) let sender = writer
            Foundation.Thread.detachNewThread {
                let all = (0..<10_000).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
                sent.put((try? sender.send(all)) != nil)
            }
            for number in 0..<10_000 { #expect(try visitor.readMessage().body == "/\(number)") }
            #expect(try sent.take())
            #expect(origin.connections == 1)
        }
    }

    @Test func answersWithoutBodyLeaveTheConnectionInStep() throws {
        let origin = try Origin { peer in
            while true {
                let head = try peer.readHead()
                if head.hasPrefix("HEAD") {
                    try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                } else if head.contains("/204") {
                    try peer.send("HTTP/1.1 204 No Content\r\n\r\n")
                } else if head.contains("/304") {
                    try peer.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: \"x\"\r\n\r\n")
                } else {
                    try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast")
                }
            }
        }
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            try visitor.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try visitor.readHead() == "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for path in ["/204", "/304"] {
                try visitor.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try visitor.readHead().hasPrefix("HTTP/1.1 \(path.dropFirst())"))
            }
            try visitor.send(get)
            #expect(try visitor.readMessage().body == "last")
            #expect(origin.connections == 1)
        }
    }

    @Test func chunksAndTrailersGoBothWays() throws {
        let seen = Slot<String>()
        let origin = try Origin { peer in
            seen.put(try peer.readHead())
            seen.put(try peer.read(until: "0\r\nX-Sum: 9\r\n\r\n"))
            let answer =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n3\r\nabc\r\n2;q=1\r\nde\r\n0\r\nX-End: 1\r\n\r\n"
            for byte in Array(answer.utf8) { try peer.send([byte]) }
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            let request =
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n5;x=y\r\npedia\r\n0\r\nX-Sum: 9\r\n\r\n"
            // Byte by byte: every split there is.
            for byte in Array(request.utf8) { try visitor.send([byte]) }
            #expect(try seen.take().contains("Transfer-Encoding: chunked\r\n"))
            let body = try seen.take()
            #expect(!body.contains("x=y"))
            #expect(ForwardingTests.unchunked(body) == "Wikipedia")
            #expect(try visitor.readHead().contains("Transfer-Encoding: chunked\r\n"))
            let answer = try visitor.read(until: "0\r\nX-End: 1\r\n\r\n")
            #expect(ForwardingTests.unchunked(answer) == "abcde")
        }
    }

    /// The data of well-formed chunks.
    static func unchunked(_ text: String) -> String {
        var rest = text[...]
        var data = ""
        while let end = rest.range(of: "\r\n"), let size = Int(rest[..<end.lowerBound], radix: 16), size > 0 {
            data += rest[end.upperBound...].prefix(size)
            rest = rest[end.upperBound...].dropFirst(size).dropFirst(1)
            if rest.first == "\n" { rest = rest.dropFirst() }
        }
        return data
    }

    @Test func theBodyWaitsForAContinue() throws {
        let origin = try Origin { peer in
            let head = try peer.readHead()
            guard head.contains("Expect: 100-continue") else { return }
            try peer.send("HTTP/1.1 100 Continue\r\n\r\n")
            let body = try peer.read(5)
            try peer.send("HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\n\(body)")
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            try visitor.send(
                "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            #expect(try visitor.readHead() == "HTTP/1.1 100 Continue\r\n\r\n")
            try visitor.send("12345")
            let (head, body) = try visitor.readMessage()
            #expect(head.hasPrefix("HTTP/1.1 201 "))
            #expect(body == "12345")
        }
    }

    @Test func anAnswerBeforeTheBodyEndsTheConnectionAfterIt() throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            try visitor.send(
                "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\nExpect: 100-continue\r\n\r\n")
            let (head, body) = try visitor.readMessage()
            #expect(head.hasPrefix("HTTP/1.1 417 "))
            #expect(head.contains("Connection: close\r\n"))
            #expect(body == "no")
            // What is still sent does not turn the end into a reset.
            try visitor.send([UInt8](repeating: 0x61, count: 100_000))
            #expect(try visitor.readToEnd() == "")
        }
    }

    @Test func aVisitorOfHTTP10GetsNoChunks() throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            let all = try visitor.readToEnd()
            #expect(all == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")
        }
    }

    @Test(arguments: ["", "Connection: keep-alive\r\n"])
    func aConnectionOfHTTP10EndsWithItsAnswer(fields: String) throws {
        let origin = try Origin.saying("hello")
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET / HTTP/1.0\r\nHost: a\r\n\(fields)\r\n")
            #expect(
                try visitor.readToEnd()
                    == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        }
    }

    @Test func aBodyThatEndsWithTheConnectionIsChunked() throws {
        let origin = try Origin { peer in
            _ = try peer.readHead()
            try peer.send("HTTP/1.1 200 OK\r\n\r\nuntil the end")
        }
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            try visitor.send(get)
            #expect(try visitor.readHead().contains("Transfer-Encoding: chunked"))
            #expect(ForwardingTests.unchunked(try visitor.read(until: "0\r\n\r\n")) == "until the end")
        }
    }
}
