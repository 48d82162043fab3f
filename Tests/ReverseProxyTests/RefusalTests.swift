// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import Wire

@testable import ReverseProxy

/// What the proxy answers by itself.
struct RefusalTests {
    @Test func nothingLiveIsA503ThatSaysWhenToComeBack() throws {
        try ProxyHarness.with { proxy in
            proxy.route(nil)
            let visitor = try proxy.visitor()
            for _ in 0..<2 {
                try visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                let (head, body) = try visitor.readMessage()
                #expect(head.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
                #expect(head.contains("Retry-After: 1\r\n"))
                #expect(body == "503 Service Unavailable: a/production has no live release now\n")
            }
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: nosuch\r\n\r\n", 404),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 a\r\nVia: 1.1 b\r\nVia: 1.1 c\r\nVia: 1.1 d\r\nVia: 1.1 e\r\n\r\n",
            508
        ),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdefg\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{1}\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}", 400),
    ])
    func whatIsRefusedIsToldAndTheConnectionEnds(request: String, status: Int) throws {
        let origin = try Origin.saying("never")
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            try visitor.send(request)
            let (head, _) = try visitor.readMessage()
            #expect(head.hasPrefix("HTTP/1.1 \(status) "), "\(head)")
            if status != 404 {
                #expect(head.contains("Connection: close\r\n"))
                #expect(try visitor.readToEnd() == "")
            }
            #expect(try proxy.idle("a/production/1").inFlight == 0)
        }
    }

    @Test func headsThatAreTooLargeAreRefused() throws {
        let origin = try Origin.saying("never")
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            for (request, status) in [
                ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 40_000))\r\n\r\n", 431),
                ("GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: y\r\n", count: 120))\r\n", 431),
                ("GET /\(String(repeating: "x", count: 9_000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            ] {
                let visitor = try proxy.visitor()
                try visitor.send(request)
                #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 \(status) "))
                #expect(try visitor.readToEnd() == "")
            }
        }
    }

    @Test func aHeadMayComeSlowly() throws {
        let origin = try Origin.saying("here")
        try ProxyHarness.with { proxy in
            proxy.route("a/production/1", origin)
            let visitor = try proxy.visitor()
            for byte in Array("\r\nGET / HTTP/1.1\r\nHost: a.:80\r\n\r\n".utf8) {
                try visitor.send([byte])
                usleep(500)
            }
            #expect(try visitor.readMessage().body == "here")
            // A visitor that says it is done still gets its answer.
            try visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            visitor.endSending()
            #expect(try visitor.readMessage().body == "here")
            #expect(try visitor.readToEnd() == "")
        }
    }
}
