// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

@testable import ReverseProxy

/// What counts first.
struct SiteLookupTests {
    private func look(
        _ target: String, _ files: StaticFiles, _ folders: SiteFolder..., method: String = "GET",
        now: Int64 = 0
    ) throws -> String {
        var sites: [String: Site] = [:]
        for folder in folders {
            sites[folder.index] = try folder.site()
            sites[SiteLibrary.key("a", folder.index)] = try folder.site()
        }
        let request = SiteRequest(try .request(target, method))
        switch SiteLookup(request, in: ServedFiles(files, of: "a", sites), now: { now }) {
        case .file(let site, let number, let fields, let status):
            let source = String(decoding: site.text(site.files[number].source), as: UTF8.self)
            #expect(!fields.isEmpty)
            return "\(status) \(source.dropFirst("tree/".count))"
        case .moved(let to, let status): return "\(status) \(String(decoding: to, as: UTF8.self))"
        case .malformed: return "malformed"
        case .options: return "options"
        case .notAllowed: return "not allowed"
        case .missing: return "missing"
        case .unreadable: return "unreadable"
        case nil: return "instances"
        }
    }

    /// Of releases that were replaced only what is missing in the live one is kept, also over several.
    @Test func ofEarlierOnesOnlyTheRestIsKept() throws {
        let releases = try (1...3).map { number in
            try SiteFolder(texts: ["same.js": "s", "page.html": "p", "app-\(number).js": "\(number)"])
        }
        let library = SiteLibrary()
        var served: ServedFiles?
        for number in releases.indices {
            let files = StaticFiles(
                index: releases[number].index, isSite: true,
                earlier: releases[..<number].reversed().map { .init(index: $0.index, until: 100) })
            let sites = library.read(
                RoutingTable(
                    generation: UInt64(number + 1),
                    routes: [
                        .init(
                            identifier: "a", hosts: ["a"],
                            upstream: .init(identifier: "a/\(number)", ports: [], files: files))
                    ]))
            served = ServedFiles(files, of: "a", sites)
        }
        let files = try #require(served)
        #expect(files.earlier.map(\.site.files.count) == [1, 1])
        for number in 1...3 {
            let path = Array("/app-\(number).js".utf8)
            #expect(
                (files.site?.file(at: path) ?? files.earlier.lazy.compactMap { $0.site.file(at: path) }.first)
                    != nil)
        }
        let kept = try #require(files.earlier.last?.site)
        let body = try #require(kept.open(kept.files[0].source, size: 1))
        #expect(body.raw >= 0)
    }

    @Test func theOrder() throws {
        func rule(_ from: String, _ to: String, _ status: Int, _ isForced: Bool = false) -> SiteIndex.Rule {
            .init(from: from, to: to, status: status, isForced: isForced)
        }
        let folder = try SiteFolder(
            texts: ["index.html": "i", "a.html": "a", "b.html": "b", "f.js": "f", "404.html": "n"],
            rules: [
                rule("/a.html", "/b.html", 301), rule("/b.html", "/a.html", 302, true),
                rule("/old.js", "/f.js", 200), rule("/gone", "/404.html", 410),
                rule("/lost", "/nowhere", 200),
                rule("/lost", "/a.html", 302), rule("/x/*", "/:splat", 307),
            ])
        let before = try SiteFolder(texts: ["old.js": "o", "f.js": "older", "page.html": "p"])
        let files = StaticFiles(
            index: folder.index, isSite: true, fallback: "/index.html",
            earlier: [.init(index: before.index, until: 100)])
        for (target, wanted) in [
            // A file before a rule, but for one with '!'.
            ("/a.html", "200 a.html"), ("/b.html", "302 /a.html"),
            // The live release before those of before, and these before rules.
            ("/f.js", "200 f.js"), ("/old.js", "200 old.js"),
            // Not their pages.
            ("/page.html", "404 404.html"),
            ("/gone", "410 404.html"),
            // A rule without a file is passed over.
            ("/lost", "302 /a.html"), ("/x/y?q", "307 /y?q"),
            ("/users/7", "200 index.html"), ("/users/7.png", "404 404.html"), ("/%zz", "malformed"),
        ] {
            #expect(try look(target, files, folder, before) == wanted, "\(target)")
        }
        // Their time is over.
        #expect(try look("/old.js", files, folder, before, now: 100) == "200 f.js")
        #expect(try look("/old.js", files, folder, before, now: 99) == "200 old.js")
        // One of them cannot be read.
        #expect(try look("/old.js", files, folder) == "200 f.js")
        #expect(try look("/a.html", files) == "unreadable")
    }

    /// A rule with '!' below one without does not go before it where there is no file.
    @Test func rulesGoFromTopToBottom() throws {
        let folder = try SiteFolder(
            texts: ["index.html": "i", "x.html": "x", "go/here.html": "h"],
            rules: [
                .init(from: "/go/*", to: "/:splat", status: 302, isForced: false),
                .init(from: "/*", to: "/index.html", status: 200, isForced: true),
            ])
        let before = try SiteFolder(texts: ["go/old.js": "o"])
        let files = StaticFiles(
            index: folder.index, isSite: true, earlier: [.init(index: before.index, until: 100)])
        for (target, wanted) in [
            ("/go/x", "302 /x"), ("/other", "200 index.html"),
            // Where a file answers, of an earlier release too, only the one with '!' counts.
            ("/go/here.html", "200 index.html"), ("/x.html", "200 index.html"),
            ("/go/old.js", "200 index.html"),
        ] {
            #expect(try look(target, files, folder, before) == wanted, "\(target)")
        }
        #expect(try look("/go/old.js", files, folder, before, now: 100) == "302 /old.js")
    }

    @Test func methods() throws {
        let folder = try SiteFolder(texts: ["index.html": "i"])
        let site = StaticFiles(index: folder.index, isSite: true)
        let assets = StaticFiles(index: folder.index, isSite: false)
        for (method, ofSite, ofAssets) in [
            ("GET", "200 index.html", "200 index.html"), ("HEAD", "200 index.html", "200 index.html"),
            ("OPTIONS", "options", "instances"), ("POST", "not allowed", "instances"),
            ("get", "not allowed", "instances"), ("GETT", "not allowed", "instances"),
        ] {
            #expect(try look("/index.html", site, folder, method: method) == ofSite, "\(method)")
            #expect(try look("/index.html", assets, folder, method: method) == ofAssets, "\(method)")
        }
        for target in ["/nope", "/%zz"] { #expect(try look(target, assets, folder) == "instances") }
        // Files take no POST, what a rule leads to may.
        let ruled = try SiteFolder(
            texts: ["index.html": "i", "a.html": "a"],
            rules: [
                .init(from: "/old", to: "/form", status: 308, isForced: false),
                .init(from: "/a.html", to: "/form", status: 307, isForced: false),
                .init(from: "/page", to: "/a.html", status: 200, isForced: false),
            ])
        let led = StaticFiles(index: ruled.index, isSite: true)
        for (target, wanted) in [
            ("/old", "308 /form"), ("/a.html", "not allowed"), ("/page", "not allowed"),
            ("/nope", "not allowed"),
            ("/%zz", "not allowed"),
        ] {
            #expect(try look(target, led, ruled, method: "POST") == wanted, "\(target)")
        }
        #expect(try look("/index.html", assets) == "instances")
        #expect(try look("/nope", site, folder) == "missing")
    }

    /// Texts that are the same to Swift are not to the disk.
    @Test func pathsAreBytes() throws {
        let folder = try SiteFolder([:]) { index in
            index.heads = ["x: y\r\n"]
            index.files = [
                .init(source: "tree/composed", size: 0, tag: "a", type: "t"),
                .init(source: "tree/decomposed", size: 0, tag: "b", type: "t"),
            ]
            index.answers[Array("/\u{E9}".utf8)] = .file(0, head: 0)
            index.answers[Array("/e\u{301}".utf8)] = .file(1, head: 0)
        }
        let files = StaticFiles(index: folder.index, isSite: true)
        #expect(try look("/%c3%a9", files, folder) == "200 composed")
        #expect(try look("/e%cc%81", files, folder) == "200 decomposed")
        #expect(try look("/%ff", files, folder) == "missing")
    }

    @Test func manyPathsAreFound() throws {
        let names = (0..<2000).map { "f\($0)/\($0 % 7).txt" }
        let folder = try SiteFolder([:]) { index in
            index.heads = ["x: y\r\n"]
            for name in names {
                index.answers[Array("/\(name)".utf8)] = .file(index.files.count, head: 0)
                index.files.append(.init(source: "tree/\(name)", size: 0, tag: "t", type: "t"))
            }
        }
        let site = try folder.site()
        for (number, name) in names.enumerated() {
            #expect(site.file(at: Array("/\(name)".utf8))?.number == number)
            #expect(site[Array("/\(name)x".utf8)] == nil)
        }
        #expect(site[[]] == nil)
    }

    @Test func theDate() {
        var date = HTTPDate()
        let line = String(decoding: date.line(), as: UTF8.self)
        #expect(
            line.wholeMatch(
                of:
                    /Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT\r\n/
            ) != nil, "\(line)")
        #expect(HTTPDate.line(0) == "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n")
        #expect(HTTPDate.line(1_709_164_800) == "Date: Thu, 29 Feb 2024 00:00:00 GMT\r\n")
        #expect(HTTPDate.line(4_102_444_799) == "Date: Thu, 31 Dec 2099 23:59:59 GMT\r\n")
    }
}
