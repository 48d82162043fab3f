// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing
import Wire

@testable import KintoCore
@testable import Runner

/// `_headers`, `_redirects`, and names with a hash.
@Suite struct SiteRuleFileTests: SiteFixture {
    let fixture: GitFixture
    let store: ArtifactStore

    init() throws { (fixture, store) = try Self.make() }

    @Test func headersOfAnyLineEnd() throws {
        for (number, ends) in ["\n", "\r\n"].enumerated() {
            try write("index.html", "x")
            try write("a/b.js", "x")
            try write(
                "_headers",
                "\u{FEFF}"
                    + [
                        "/*", "  X-One: 1", "# comment", "", "/a/*", "\tX-Two:  2 ",
                        "  Cache-Control: no-store", "/nope",
                        "  X-Three: 3",
                    ].joined(separator: ends) + ends)
            let site = try index(id: "n\(number)")
            #expect(
                site.head("/a/b.js")
                    == "Content-Type: text/javascript; charset=utf-8\r\nX-One: 1\r\nX-Two: 2\r\nCache-Control: no-store\r\n"
            )
            #expect(site.head("/").hasSuffix("X-One: 1\r\n"))
            #expect(site.made.warnings == [], "\(site.made.warnings)")
        }
    }

    @Test func redirectsOfAnyLineEnd() throws {
        for (number, ends) in ["\n", "\r\n"].enumerated() {
            try write("index.html", "x")
            try write("d/index.html", "x")
            try write("a b.html", "x")
            try write(
                "_redirects",
                "\u{FEFF}"
                    + [
                        "/a /b", "# no", "", "/c\t/index.html  200! # why", "/d2 /d 200",
                        "/e /a%20b.html 404",
                        "/f%20g /h",
                    ].joined(separator: ends) + ends)
            let site = try index(id: "n\(number)")
            #expect(
                site.index.rules == [
                    .init(from: "/a", to: "/b", status: 301, isForced: false),
                    .init(from: "/c", to: "/index.html", status: 200, isForced: true),
                    .init(from: "/d2", to: "/d/", status: 200, isForced: false),
                    .init(from: "/e", to: "/a b.html", status: 404, isForced: false),
                    .init(from: "/f g", to: "/h", status: 301, isForced: false),
                ])
            #expect(site.made.warnings == [], "\(site.made.warnings)")
        }
    }

    @Test(arguments: [
        ("x: y", "is no path of this site"), ("  X: y", "is neither a path nor"),
        ("/a\n  no colon", "is neither a path nor"),
        ("/a\n  Bad Name: x", "is no name of a header"), ("/a\n  : x", "is no name of a header"),
        ("/a\n  Content-Length: 5", "is set by kinto"),
        ("/a\n  transfer-encoding: chunked", "is set by kinto"),
        ("/a\n  ETag: x", "is set by kinto"), ("/a\n  X: a\u{0}b", "control characters"),
        ("/a\n  X: a\u{7F}", "control characters"), ("/a\n  X: a\rSet-Cookie: b", "control characters"),
        ("/" + String(repeating: "a", count: 1024), "more than 1024 bytes"),
        ("/a\n  Naïve: x", "is no name of a header"),
    ])
    func malformedHeaders(text: String, warning: String) {
        let headers = SiteHeaders(text)
        #expect(headers.warnings.count == 1 && headers.warnings[0].contains(warning), "\(headers.warnings)")
        #expect(headers.warnings.allSatisfy { !$0.utf8.contains { $0 < 0x20 } })
        #expect(headers.lines(headers.matching(Array("/a".utf8)), usual: []).text == "")
    }

    @Test func headersOfPathsThatFit() {
        func fits(_ pattern: String, _ path: String) -> Bool {
            !SiteHeaders("\(pattern)\n  X: y").matching(Array(path.utf8)).isEmpty
        }
        for (pattern, path) in [
            ("/*", "/"), ("/*", "/a/b"), ("/a", "/a"), ("/a*c", "/abbc"), ("/*/x", "/a/b/x"),
            ("/:a/b", "/x/b"),
            ("/:a/*", "/x/"), ("/*.js", "/a/b.js"), ("/**", "/a"), ("/a*b*c", "/axbxbc"),
        ] { #expect(fits(pattern, path), "\(pattern) \(path)") }
        for (pattern, path) in [
            ("/a", "/a/"), ("/a", "/A"), ("/:a/b", "//b"), ("/:a", "/x/y"), ("/*.js", "/a.jsx"),
            ("/a*c", "/ab"),
            ("/a*b*c", "/acb"),
        ] { #expect(!fits(pattern, path), "\(pattern) \(path)") }
    }

    @Test func theLastOneCountsOfWhatAnAnswerHasOnce() {
        let headers = SiteHeaders(
            "/*\n  cache-control: a\n  Link: <x>\n/a\n  Cache-Control: b\n  Link: <y>\n  Content-Type: t/t\n")
        #expect(
            headers.lines([0, 1], usual: [("Content-Type", "u/u"), ("Cache-Control", "a")]).text
                == "Link: <x>\r\nCache-Control: b\r\nLink: <y>\r\nContent-Type: t/t\r\n")
    }

    @Test func whatIsTooLargeIsNamed() throws {
        for name in ["_redirects", "_headers"] {
            try write("index.html", "x")
            try write(name, [UInt8](repeating: UInt8(ascii: "#"), count: 1 << 20))
            _ = try index(id: "\(name)-fits")
            try write(name, [UInt8](repeating: UInt8(ascii: "#"), count: 1 << 20 | 1))
            let failure = #expect(throws: Failure.self) { _ = try index(id: name) }
            #expect(failure?.code == "static-rules")
            #expect(failure?.message == "\(name) has 1048577 bytes; at most 1 MiB is read")
            #expect(failure?.hints.isEmpty == false)
            try fixture.write("site/public/\(name)", "")
        }
    }

    /// A file that says much of many files is no memory of the server.
    @Test func hugeHeaders() throws {
        for number in 0..<300 { try write("f\(number)/x.txt", "x") }
        var text = ""
        for number in 0..<300 { text += "/f\(number)/*\n  X-A: \(String(repeating: "a", count: 3000))\n" }
        text += "/*\n" + (0..<20).map { "  X-\($0): \(String(repeating: "b", count: 1000))\n" }.joined()
        try write("_headers", text)
        let site = try index()
        #expect(site.index.heads.allSatisfy { $0.utf8.count <= 8 << 10 })
        #expect(site.made.warnings.contains { $0.contains("_headers says more than kinto takes") })

        var heads = SiteHeads(
            SiteHeaders(
                (0..<100).map { "/*f\($0)f*\n  X-\($0): \(String(repeating: "a", count: 4000))\n" }.joined()))
        for number in 0..<2000 {
            _ = heads.place(Array("/f\(number % 100)f/f\(number / 100)f".utf8), type: "t")
        }
        #expect(heads.isCut)
        #expect(heads.texts.reduce(0) { $0 + $1.utf8.count } < 10 << 20)
    }

    @Test(arguments: [
        ("/a", "it needs two paths"), ("a /b", "is not a path of this site"),
        ("/a b", "is neither a path nor an address"),
        ("/a /b 700", "is not a status"), ("/a /b 301x", "is not a status"), ("/a /b !", "is not a status"),
        ("/a /b 302 Country=de", "conditions are not supported"), ("/*/a /b", "can only be the last"),
        ("/a*b /b", "can only be the last"), ("/a https://e.org 200", "can only be pointed to"),
        ("/a javascript:alert(1)", "is neither a path nor an address"), ("/a /\u{7F}b", "control characters"),
        ("/a /\u{1}b", "control characters"),
        ("/a /" + String(repeating: "b", count: 2048), "more than 2048 bytes"),
        ("/a /b 99999999999999999999", "is not a status"),
    ])
    func malformedRedirects(text: String, warning: String) {
        let redirects = SiteRedirects(text)
        #expect(redirects.rules.isEmpty)
        #expect(
            redirects.warnings.count == 1 && redirects.warnings[0].contains(warning), "\(redirects.warnings)")
        #expect(redirects.warnings.allSatisfy { !$0.utf8.contains { $0 < 0x20 } })
    }

    @Test func hugeRedirects() {
        let redirects = SiteRedirects((0..<5000).map { "/a\($0) /b\n" }.joined())
        #expect(redirects.rules.count == 1000)
        #expect(redirects.warnings == ["_redirects has more than 1000 rules: the rest is left out"])
        let wrong = SiteRedirects(String(repeating: "bad\n", count: 5000))
        #expect(wrong.warnings.count == 11)
        #expect(wrong.warnings.last == "_redirects: 4990 more lines are left out")
    }

    @Test func rulesWithoutAFileAreTold() throws {
        try write("index.html", "x")
        try write("_redirects", "/a /nope.html 200\n/b /index 404\n/c /:x 200\n/d /nowhere 301\n")
        let site = try index()
        #expect(site.made.warnings == ["_redirects: there is no file for /nope.html, /index"])
        #expect(site.index.rules.count == 4)
    }

    // MARK: Names

    @Test(arguments: [
        "app.3f2a9c1d.js", "index-BdR4k1xZ.css", "a.b.0123456789abcdef.woff2", "x-a1b2c3d4e5f6.js",
        "chunk.deadbeef1.js.map", "main-AbCd1_xyZ.js",
    ])
    func namesWithAHash(name: String) { #expect(HashedName.matches(Array(name.utf8))) }

    @Test(arguments: [
        "app.js", "index.html", "", ".", "..", "a.", "20240101.html", "post-20240101.html", "12345678.js",
        "app-development.js", "abcdefgh.js", "a.DEADBEEF.js", "report-v1.2.3.js", "app-1a2b3c.js", "facade12",
        "e.-.-",
        "release-notes1.html", "jquery-3.7.1.min.js", "a." + String(repeating: "a1", count: 33) + ".js",
    ])
    func namesWithout(name: String) { #expect(!HashedName.matches(Array(name.utf8))) }
}
