// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ReverseProxy

/// What requests for files say.
struct SiteRequestTests {
    private func request(_ target: String, _ method: String = "GET") throws -> SiteRequest {
        SiteRequest(try .request(target, method))
    }

    private func asked(_ fields: String..., method: String = "GET") throws -> SiteRequest {
        let lines = ["\(method) / HTTP/1.1", "Host: a"] + fields
        return SiteRequest(
            try MessageHead(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8), request: true))
    }

    @Test(arguments: [
        ("/", "/"), ("/a%20b", "/a b"), ("/%41%6a%6A", "/Ajj"), ("/a?b", "/a"), ("/?/%zz", "/"),
        ("/a%2Fb", "/a/b"), ("/%25", "/%"), ("/%2525", "/%25"), ("/%c3%a9", "/é"), ("/a+b", "/a+b"),
        ("http://a/x%20y?q", "/x y"), ("http://a", "/"), ("http://a?q", "/"), ("HTTP://a/x", "/x"),
        ("/..%2f..%5c", "/../..\\"), ("//a", "//a"), ("/%0d%0a", "/\r\n"),
    ])
    func pathsAreDecoded(target: String, path: String) throws {
        #expect(try request(target).path.map { String(decoding: $0, as: UTF8.self) } == path)
    }

    @Test(arguments: ["/%", "/%4", "/a%", "/%zz", "/%4g", "/%00", "/%%41", "/%-1", "/a%2"])
    func malformedOnesAreNone(target: String) throws { #expect(try request(target).path == nil) }

    @Test func bytesThatAreNoTextStayAsTheyAre() throws {
        #expect(try request("/%ff%fe").path == [0x2F, 0xFF, 0xFE])
    }

    @Test func theQueryIsLeftAsItIs() throws {
        #expect(try Array(request("/a?b=%20?c").query) == Array("b=%20?c".utf8))
        #expect(try request("/a").query.isEmpty)
        #expect(try request("/a?").query.isEmpty)
        #expect(try Array(request("http://a?x").query) == Array("x".utf8))
    }

    @Test func theServerAsAWholeHasNoPath() throws {
        let all = try request("*", "OPTIONS")
        #expect(all.path == [0x2F])
        #expect(all.method == .options)
    }

    @Test(arguments: [
        ("bytes=0-0", 0, 1), ("bytes=1-3", 1, 4), ("bytes=4-", 4, 10), ("bytes=-3", 7, 10),
        ("bytes=0-99", 0, 10), ("bytes=-99", 0, 10), ("BYTES=2-2", 2, 3), ("bytes= 1 - 2 ", 1, 3),
        ("bytes=9-999999999999999999", 9, 10), ("bytes=-999999999999999999", 0, 10), ("bytes=0009-", 9, 10),
    ])
    func rangesOfTenBytes(value: String, low: Int, high: Int) throws {
        guard case .part(let range) = try asked("Range: \(value)").range(of: 10, tag: []) else {
            Issue.record("no part")
            return
        }
        #expect(range == low..<high)
    }

    @Test(arguments: [
        ("bytes=10-", true), ("bytes=10-20", true), ("bytes=-0", true),
        ("bytes=999999999999999999-999999999999999999", true), ("bytes=3-2", false), ("bytes=-", false),
        ("bytes=", false), ("bytes", false), ("bytes=a-b", false), ("bytes=1-2,4-5", false),
        ("bytes=--1", false), ("bytes=1-2-3", false), ("lines=0-1", false), ("bytes=+1-2", false),
        ("bytes=9999999999999999999-", false), ("bytes=0-99999999999999999999999999", false),
        ("bytes=0x1-2", false), ("bytes=\u{0661}-", false),
    ])
    func rangesThatAreNoPart(value: String, isOutside: Bool) throws {
        switch try asked("Range: \(value)").range(of: 10, tag: []) {
        case .outside: #expect(isOutside)
        case .whole: #expect(!isOutside)
        case .part(let range): Issue.record("part \(range)")
        }
    }

    @Test func anEmptyFileHasNoParts() throws {
        for value in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
            guard case .outside = try asked("Range: \(value)").range(of: 0, tag: []) else {
                Issue.record("\(value)")
                continue
            }
        }
    }

    @Test func rangesOfSomethingElseAreTheWhole() throws {
        let tag = Array("\"t\"".utf8)
        func isWhole(_ fields: String..., method: String = "GET") throws -> Bool {
            let lines = ["\(method) / HTTP/1.1", "Host: a"] + fields
            let request = SiteRequest(
                try MessageHead(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8), request: true))
            if case .whole = request.range(of: 10, tag: tag) { return true }
            return false
        }
        #expect(try isWhole("Range: bytes=1-2", "If-Range: \"other\""))
        #expect(try isWhole("Range: bytes=1-2", "If-Range: W/\"t\""))
        #expect(try isWhole("Range: bytes=1-2", "If-Range: Wed, 21 Oct 2015 07:28:00 GMT"))
        #expect(try !isWhole("Range: bytes=1-2", "If-Range: \"t\""))
        #expect(try isWhole("Range: bytes=1-2", "Range: bytes=3-4"))
        #expect(try isWhole("Range: bytes=1-2", method: "HEAD"))
    }

    @Test(arguments: [
        ("gzip", true), ("GZip", true), ("br, gzip", true), ("gzip;q=1", true), ("gzip; q=0.001", true),
        ("gzip;q=0", false), ("gzip;q=0.000", false), ("gzip;Q=0", false), ("gzip ; q=0.0", false),
        ("gzipped", false), ("*", false), ("", false), ("identity", false), ("br;q=0, gzip;q=0.5", true),
        (",,;,gzip", true), (";q=1", false), ("gzip;q=", false), ("gzip;x=1;q=0", false),
    ])
    func codings(value: String, isTaken: Bool) throws {
        #expect(try asked("Accept-Encoding: \(value)").accepts("gzip") == isTaken)
    }

    @Test func conditions() throws {
        let tag = Array("\"t\"".utf8)
        for (field, status) in [
            ("If-None-Match: \"t\"", 304), ("If-None-Match: W/\"t\"", 304), ("If-None-Match: *", 304),
            ("If-None-Match: \"a\", \"t\" ,\"b\"", 304), ("If-None-Match: t", 200), ("If-None-Match: ", 200),
            ("If-None-Match: \"T\"", 200), ("If-Match: \"t\"", 200), ("If-Match: *", 200),
            ("If-Match: W/\"t\"", 412), ("If-Match: \"x\"", 412), ("If-Match: ", 412), ("X: y", 200),
        ] {
            #expect(try asked(field).status(for: tag) == status, "\(field)")
        }
        #expect(try asked("If-Match: \"x\"", "If-None-Match: \"t\"").status(for: tag) == 412)
        #expect(try asked("If-Match: \"t\"", "If-None-Match: \"t\"").status(for: tag) == 304)
    }

    @Test func whatABrowserIsNavigatedTo() throws {
        #expect(try request("/users/7").isNavigation)
        #expect(try request("/v1.2/users").isNavigation)
        #expect(try request("/").isNavigation)
        #expect(try !request("/a.png").isNavigation)
        #expect(try !request("/a.png/").isNavigation)
        #expect(try SiteRequest(.request("/a.png", "GET", "Accept: image/png, text/html;q=0.9")).isNavigation)
        #expect(try !SiteRequest(.request("/a.png", "GET", "Accept: */*")).isNavigation)
    }
}
