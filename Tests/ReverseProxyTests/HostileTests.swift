// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// What someone who means harm sends.
struct HostileTests {
    private let name = "a/production/1"
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    /// Each would be a request for /evil to a parser that reads it another way.
    @Test(arguments: [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: \u{0B}chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n",
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
        "Content-Length: 0\r\ncontent-length: 0\r\n\r\n",
        "Content-Length: 0,0\r\n\r\n",
        "Content-Length: -0\r\n\r\n",
        "Content-Length: 0x0\r\n\r\n",
        "Content-Length: 99999999999999999999\r\n\r\n",
        "Content-Length: \r\n\r\n",
        "X: y\n\r\n",
        "X: y\rZ: z\r\n\r\n",
        "X\0: y\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\n\n",
        "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1;\nx\r\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\ra\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1 1\r\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1_0\r\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\nZ: z\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n folded\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1;\0\r\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1;a=\"\r\na\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
    func noSecondRequestIsSmuggledBehindTheFirst(rest: String) throws {
        let paths = Slot<String>()
        let origin = try Origin { peer in
            while true {
                let head = try peer.readHead()
                paths.put(String(head.split(separator: " ")[1]))
            }
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send(
                "POST /first HTTP/1.1\r\nHost: a\r\n\(rest)GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
            let (head, _) = try visitor.readMessage()
            #expect(head.hasPrefix("HTTP/1.1 400 ") || head.hasPrefix("HTTP/1.1 501 "), "\(head)")
            #expect(head.contains("Connection: close\r\n"))
            #expect(try visitor.readToEnd() == "")
            #expect(try proxy.idle(name).requests <= 1)
        }
    }

    @Test(arguments: [
        "GET /\r\n\r\n", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "GET / http/1.1\r\nHost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "GET http://a@b/ HTTP/1.1\r\nHost: a@b\r\n\r\n", "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\u{E9} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:///x HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:80:81\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", "GET / HTTP/1.1\r\nHost: [a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    ])
    func malformedRequestLinesReachNobody(request: String) throws {
        let origin = try Origin.saying("never")
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send(request)
            let head = try visitor.readMessage().head
            #expect(head.hasPrefix("HTTP/1.1 400 ") || head.hasPrefix("HTTP/1.1 505 "), "\(head)")
            #expect(try visitor.readToEnd() == "")
            #expect(origin.connections == 0)
        }
    }

    /// Servers that make variables of field names do not tell X_Forwarded_For from X-Forwarded-For, and some add the
    /// trailers to the fields.
    @Test func whereARequestCameFromCannotBeForged() throws {
        let seen = Slot<String>()
        let origin = try Origin { peer in
            seen.put(try peer.readHead() + peer.read(until: "X-Sum: 9\r\n\r\n"))
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send(
                "POST / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 6.6.6.6\r\nx-forwarded_proto: https\r\nX_Own: 1\r\n"
                    + "Content_Length: 5\r\ntransfer_Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nHost: evil\r\n"
                    + "Content_Length: 5\r\nX-Sum: 9\r\n\r\n")
            #expect(
                try seen.take()
                    == "POST / HTTP/1.1\r\nHost: a\r\nX_Own: 1\r\nTransfer-Encoding: chunked\r\n"
                    + "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"
                    + "Forwarded: for=127.0.0.1;host=\"a\";proto=http\r\nVia: 1.1 kinto\r\n\r\n"
                    + "1\r\na\r\n0\r\nX-Sum: 9\r\n\r\n")
        }
    }

    /// HTTP/2 in a tunnel would reach the instance with no word of the proxy in it.
    @Test func anUpgradeToHTTP2IsNotPassedOn() throws {
        let seen = Slot<String>()
        let origin = try Origin { peer in
            seen.put(try peer.readHead())
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: H2C\r\nHTTP2-Settings: AA\r\n\r\n"
            )
            #expect(try visitor.readMessage().body == "ok")
            let head = try seen.take().lowercased()
            #expect(!head.contains("upgrade"))
            #expect(!head.contains("http2-settings"))
        }
    }

    @Test func aProxyThatIsRoutedToItselfSaysSo() throws {
        try ProxyHarness.with { proxy in
            proxy.route(name, ports: [proxy.port])
            let visitor = try proxy.visitor()
            try visitor.send(get)
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 508 Loop Detected\r\n"))
            #expect(try proxy.idle(name).requests == 5)
        }
    }

    /// One who asks without end and never reads an answer.
    @Test func answersThatNobodyReadsDoNotPileUp() throws {
        try ProxyHarness.with { proxy in
            proxy.shrinkBuffers()
            let visitor = try proxy.visitor(buffers: 8 << 10)
            let request = Array("GET / HTTP/1.1\r\nHost: \(String(repeating: "x", count: 60))\r\n\r\n".utf8)
            let chunk = Array(repeatElement(request, count: 100).joined())
            var (total, tries) = (0, 0)
            while tries < 50, total < 4 << 20 {
                // Whole requests only: the rest of a part that fitted is sent before the next.
                let count = visitor.sendWhatFits(Array(chunk[(total % chunk.count)...]))
                if count > 0 {
                    total += count
                    tries = 0
                } else {
                    tries += 1
                    usleep(10_000)
                }
            }
            #expect(total < 1 << 20)
            for _ in 0..<(total / request.count) {
                #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 404 "))
            }
            // And it goes on.
            try visitor.send(Array(request[(total % request.count)...]))
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 404 "))
        }
    }

    /// Each of them is well-formed, and the next one always comes in time.
    @Test(arguments: ["1.1", "1.0"]) func interimAnswersWithoutEndBecomeA502(version: String) throws {
        let origin = try Origin { peer in
            _ = try peer.readMessage()
            let flood = Array(String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 100).utf8)
            while true { try peer.send(flood) }
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            try visitor.send("GET / HTTP/\(version)\r\nHost: a\r\n\r\n")
            let all = try visitor.readToEnd()
            #expect(all.components(separatedBy: "HTTP/1.1 103 ").count == (version == "1.1" ? 3_001 : 1))
            #expect(all.contains("HTTP/1.1 502 Bad Gateway\r\n"))
        }
    }

    /// More than was asked for must not become the answer to the next request.
    @Test func aSecondAnswerToOneRequestIsThrownAway() throws {
        let origin = try Origin { peer in
            _ = try peer.readMessage()
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
            try peer.send("\(answer)one\(answer)two")
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let visitor = try proxy.visitor()
            for round in 1...3 {
                try visitor.send(get)
                #expect(try visitor.readMessage().body == "one")
                #expect(origin.connections == round)
            }
        }
    }
}
