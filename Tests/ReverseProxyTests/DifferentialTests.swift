// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ReverseProxy

/// The same bytes through llhttp, the parser of Node and SwiftNIO, and through the proxy: what the proxy takes, llhttp
/// takes too and reads as the same message with the same end, and so it does what the proxy writes. That llhttp takes
/// more is as it should be.
struct DifferentialTests {
    /// Where llhttp is the stricter one for a reason that does not concern the proxy.
    private static let known: [(reason: String, holds: @Sendable (Differential.Difference) -> Bool)] = [
        (
            "llhttp has a list of methods; a service may have methods of its own (RFC 9110, 16.1)",
            { $0.kind.hasSuffix("invalid HTTP method") && !methods.contains($0.message.first) }
        )
    ]

    /// Those that both know.
    private static let methods = Set(
        "GET HEAD POST PUT DELETE OPTIONS PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT PURGE"
            .split(separator: " ").map { Array($0.utf8) })

    private func check(_ bytes: [UInt8]) {
        for difference in Differential.differences(bytes)
        where !Self.known.contains(where: { $0.holds(difference) }) {
            Issue.record("\(difference.kind): \(text(difference.bytes))")
        }
    }

    @Test func generatedMessagesAreReadAlike() throws {
        var mutator = MessageMutator(seed: 1, corpus: try Corpus.messages())
        var taken = 0
        for _ in 0..<10_000 {
            let bytes = mutator.next()
            check(bytes)
            var reader = ProxyReader(bytes, splits: nil)
            if reader.request() == .message { taken += 1 }
        }
        // Else it would prove nothing.
        #expect(taken > 1_000)
    }

    @Test func theCorpusIsTakenAndReadAlike() throws {
        for bytes in try Corpus.messages() {
            check(bytes)
            var reader = ProxyReader(bytes, splits: nil)
            let outcome =
                bytes.starts(with: "HTTP/".utf8)
                ? reader.response(isHead: false, minor: 1) : reader.request()
            #expect(outcome == .message, "\(text(bytes))")
        }
    }

    /// Every shape that requests were smuggled in: what the proxy does with it.
    @Test(arguments: [
        // Two lengths, or one that can be read in two ways.
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", false),
        ("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", false),
        ("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", false),
        ("Content-Length: 5, 5\r\n\r\nhello", false), ("Content-Length: 5,\r\n\r\nhello", false),
        ("Content-Length: +5\r\n\r\nhello", false), ("Content-Length: -5\r\n\r\nhello", false),
        ("Content-Length: 0x5\r\n\r\nhello", false), ("Content-Length: 5 5\r\n\r\nhello", false),
        ("Content-Length: 5.0\r\n\r\nhello", false), ("Content-Length: 5e0\r\n\r\nhello", false),
        ("Content-Length: \"5\"\r\n\r\nhello", false), ("Content-Length: \r\n\r\n", false),
        ("Content-Length: 18446744073709551621\r\n\r\nhello", false),
        ("Content-Length: 9223372036854775808\r\n\r\nhello", false),
        ("Content-Length: \u{B}5\r\n\r\nhello", false), ("Content-Length: \u{661}\r\n\r\na", false),
        ("Content-Length: 5\r\n\r\nhello", true), ("Content-Length:5 \r\n\r\nhello", true),
        ("Content-Length: 005\r\n\r\nhello", true),
        // Transfer codings.
        ("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: \r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: \u{B}chunked\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", false),
        ("Transfer\u{A0}Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", true),
        // What only a server that makes variables of fields takes for a length.
        ("Content_Length: 5\r\n\r\n", true), ("Transfer_Encoding: chunked\r\n\r\n", true),
        // Lines.
        ("X: a\r\n b\r\n\r\n", false), ("X: a\r\n\tb\r\n\r\n", false), (" X: a\r\n\r\n", false),
        ("X: a\nContent-Length: 5\r\n\r\nhello", false), ("X: a\rContent-Length: 5\r\n\r\nhello", false),
        ("X: a\r\r\n\r\n", false), ("X: a\0b\r\n\r\n", false), ("X\0: a\r\n\r\n", false),
        ("X : a\r\n\r\n", false), ("X\t: a\r\n\r\n", false), (": a\r\n\r\n", false), ("X\r\n\r\n", false),
        ("X y: a\r\n\r\n", false), ("X(: a\r\n\r\n", false), ("\u{E9}: a\r\n\r\n", false),
        ("X: \u{7F}\r\n\r\n", false), ("X: \u{1B}[31m\r\n\r\n", false), ("X:\r\n\r\n", true),
        ("X:a\t\r\n\r\n", true),
        // Chunks.
        ("Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5 ;a\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5;\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5;a=\"\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5;\0\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5_\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\ng\r\nhello\r\n0\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\nb\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\nX : a\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n X: a\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5;a;b=c;d=\"e\"\r\nhello\r\n000\r\n\r\n", true),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\nHost: b\r\n\r\n", true),
        // Hosts.
        ("Host: a\r\n\r\n", false), ("Host: b\r\n\r\n", false), ("host: a\r\n\r\n", false),
    ])
    func shapesOfSmuggling(rest: String, isTaken: Bool) {
        let bytes = Array("POST / HTTP/1.1\r\nHost: a\r\n\(rest)".utf8)
        check(bytes)
        var reader = ProxyReader(bytes, splits: nil)
        #expect(reader.request() == (isTaken ? .message : .refused))
        if isTaken { #expect(reader.position == bytes.count) }
    }

    @Test(arguments: [
        ("GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n", false),
        ("GET http://a:80/x HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ("GET http://b@a/x HTTP/1.1\r\nHost: b@a\r\n\r\n", false),
        ("GET http:///x HTTP/1.1\r\nHost: \r\n\r\n", false),
        ("GET https://a/x HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ("GET a/x HTTP/1.1\r\nHost: a\r\n\r\n", false), ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", true), ("GET //b/x HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", false),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", false), ("GET / HTTP/1.1\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", false), ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", true), ("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", true), ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", false),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", false), ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", false),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", false), ("GET / x HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", false), ("GET / HTTP/1.1\nHost: a\r\n\r\n", false),
        ("GET /\u{E9} HTTP/1.1\r\nHost: a\r\n\r\n", false), ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", false), ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", false), (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", false),
    ])
    func requestLinesAndHosts(request: String, isTaken: Bool) {
        check(Array(request.utf8))
        var reader = ProxyReader(Array(request.utf8), splits: nil)
        #expect(reader.request() == (isTaken ? .message : .refused))
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab", false),
        ("HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nX: a\nb\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        (
            "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            false
        ),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", false),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", true),
    ])
    func answers(answer: String, isTaken: Bool) {
        check(Array(answer.utf8))
        var reader = ProxyReader(Array(answer.utf8), splits: nil)
        #expect(reader.response(isHead: false, minor: 1) == (isTaken ? .message : .refused))
    }
}
