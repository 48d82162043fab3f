// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

@testable import ReverseProxy

/// Lines of `_redirects`: which paths they are for, and where these lead.
struct SiteRuleTests {
    private func target(_ path: String, _ from: String, _ to: String, _ status: Int = 301, query: String = "")
        -> String?
    {
        let rule = SiteRule(.init(from: from, to: to, status: status, isForced: false))
        return rule.target(of: SiteRule.segments(Array(path.utf8)), query: Array(query.utf8)[...]).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    @Test(arguments: [
        ("/a", "/a", "/b", "/b"), ("/a/", "/a", "/b", "/b"), ("/a", "/a/", "/b", "/b"),
        ("/old/x/y", "/old/*", "/new/:splat", "/new/x/y"), ("/old", "/old/*", "/new/:splat", "/new/"),
        ("/u/7/x", "/u/:id/x", "/p/:id.html", "/p/7.html"), ("/1/2", "/:a/:b", "/:b/:a", "/2/1"),
        ("/7", "/:a", "/:a/:ab/:a", "/7/:ab/7"), ("/x", "/*", "https://e.org/:splat", "https://e.org/x"),
        ("/x", "/x", "//e.org/y", "//e.org/y"),
    ])
    func theyMatch(path: String, from: String, to: String, wanted: String) {
        #expect(target(path, from, to) == wanted)
    }

    @Test(arguments: [
        ("/a/b", "/a"), ("/", "/a"), ("/b", "/a"), ("/u", "/u/:id"), ("/u/1/2", "/u/:id"), ("/A", "/a"),
    ])
    func theyDoNot(path: String, from: String) { #expect(target(path, from, "/x") == nil) }

    /// A path of the site stays one of it, whatever stands in the request.
    @Test(arguments: [
        "//evil.org", "///evil.org", "/\\evil.org", "/\\\\evil.org/", "/\\/evil.org", "/\t/evil.org",
        "/ //evil.org",
        "/\r\n//evil.org", "/./\\evil.org", "/\u{0}//evil.org", "/@evil.org", "/.evil.org", "/:80",
        "/https://evil.org",
    ])
    func noRequestMakesAnotherHost(path: String) throws {
        for to in ["/:splat", "/:splat/x", "//:splat", "/x/:splat"] where !to.hasPrefix("//") {
            let place = try #require(target(path, "/*", to))
            let bytes = Array(place.utf8)
            #expect(bytes.first == UInt8(ascii: "/"), "\(place)")
            #expect(
                bytes.count < 2 || bytes[1] != UInt8(ascii: "/") && bytes[1] != UInt8(ascii: "\\"), "\(place)"
            )
            #expect(bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }, "\(place)")
        }
        let rest = target(path, "/*", "/a/:splat", 200)
        #expect(rest?.hasPrefix("/a/") == true)
    }

    @Test func whatIsNotPlainIsEncoded() {
        #expect(target("/a\r\nSet-Cookie: x", "/*", "/:splat") == "/a%0d%0aSet-Cookie:%20x")
        #expect(target("/é?#\"<>%", "/*", "/:splat") == "/%c3%a9%3f%23%22%3c%3e%25")
        // A file is looked for by its plain name.
        #expect(target("/é b", "/*", "/d/:splat", 200) == "/d/é b")
    }

    @Test func theQueryIsTakenAlong() {
        #expect(target("/a", "/a", "/b", query: "x=1") == "/b?x=1")
        #expect(target("/a", "/a", "/b?y=2", query: "x=1") == "/b?y=2")
        #expect(target("/a", "/a", "/b", 200, query: "x=1") == "/b")
        #expect(target("/a", "/a", "/b/#part", query: "x=1") == "/b/?x=1#part")
        #expect(target("/a", "/a", "/b#a?b", query: "x=1") == "/b?x=1#a?b")
        #expect(target("/a", "/a", "/b?y=2#part", query: "x=1") == "/b?y=2#part")
        #expect(target("/a", "/a", "https://e.org#part", query: "x=1") == "https://e.org?x=1#part")
    }

    /// 2 KiB of target and 16 KiB of path would be megabytes of a head.
    @Test func whatGetsTooLongIsForNoOne() {
        let path = "/" + String(repeating: "a", count: 8000)
        #expect(target(path, "/*", "/" + String(repeating: ":splat/", count: 200)) == nil)
        #expect(target(path, "/*", "/:splat")?.utf8.count == 8001)
    }
}
