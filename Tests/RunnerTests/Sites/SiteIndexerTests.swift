// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing
import Wire

@testable import KintoCore
@testable import Runner

/// What of a directory is served, and at which paths.
@Suite struct SiteIndexerTests: SiteFixture {
    let fixture: GitFixture
    let store: ArtifactStore

    init() throws { (fixture, store) = try Self.make() }

    // MARK: Paths

    @Test func pagesAndDirectories() throws {
        for name in [
            "index.html", "about.html", "both.html", "both/index.html", "docs/index.html", "docs/a.html",
            "three", "three.html", "three/", "x.html/index.html", "sub/.html", "index.html.txt",
        ] where !name.hasSuffix("/") { try write(name, name) }
        let site = try index()
        for (path, wanted) in [
            ("/", "index.html"), ("/index.html", "index.html"), ("/index", nil), ("", nil),
            ("/about", "about.html"), ("/about.html", "about.html"), ("/about/", "-> /about"),
            // Both: each at its own.
            ("/both", "both.html"), ("/both/", "both/index.html"),
            ("/docs", "-> /docs/"), ("/docs/", "docs/index.html"), ("/docs/index.html", "docs/index.html"),
            ("/docs/a", "docs/a.html"), ("/docs/a/", "-> /docs/a"),
            // A file of that name goes first.
            ("/three", "three"), ("/three/", "-> /three"),
            ("/x.html", "-> /x.html/"), ("/x.html/", "x.html/index.html"),
            ("/sub/", nil), ("/sub", nil), ("/index.html.txt", "index.html.txt"),
        ] as [(String, String?)] {
            #expect(site[path] == wanted, "\(path)")
        }
        #expect(site.made.warnings == [])
    }

    @Test func assetsAreFilesOnly() throws {
        for name in ["index.html", "a.html", "_headers", "kinto.json", "s/x.js"] { try write(name, "x") }
        let site = try index(.init(directory: "public", path: "/static", isSite: false))
        #expect(
            site.index.answers.keys.map { String(decoding: $0, as: UTF8.self) }.sorted() == [
                "/static/_headers", "/static/a.html", "/static/index.html", "/static/kinto.json",
                "/static/s/x.js",
            ])
    }

    @Test func whatIsHiddenStaysHidden() throws {
        for name in [
            ".env", ".git/config", "a/.htpasswd", ".well-known/security.txt", ".well-known/.x", "kinto.json",
            "Procfile", "_headers", "_redirects", "a/kinto.json", "a/_headers", ".\u{301}x", "..x", "ok.txt",
        ] { try write(name, "x") }
        let site = try index()
        #expect(
            Set(site.index.answers.keys.map { String(decoding: $0, as: UTF8.self) }) == [
                "/.well-known/security.txt", "/a/kinto.json", "/a/_headers", "/ok.txt",
            ])
        #expect(site.index.files.count == 4)
    }

    @Test func namesOfAnyKind() throws {
        let names = [
            "a b.txt", "100%.txt", "%41.txt", "new\nline.txt", "tab\t.txt", "q?#.txt", "é.txt",
            "e\u{301}.txt",
            "\u{301}.txt", "日本.txt", "=.txt", "\u{1}.txt", "a\\b.txt", "\u{FEFF}.txt", "r\r\nn.txt",
            "dir\u{301}/index.html", "index.html\u{301}", "\"'<>.html",
        ]
        for (number, name) in names.enumerated() { try write(name, "content \(number)") }
        let site = try index()
        #expect(site.index.files.count == names.count)
        for (number, name) in names.enumerated() {
            let file = try #require(site.file("/\(name)"), "\(name.debugDescription)")
            let bytes = try Files.read("\(site.directory)/\(file.source)")
            #expect(String(decoding: bytes, as: UTF8.self) == "content \(number)")
        }
        #expect(site["/dir\u{301}"] == "-> /dir%cc%81/")
        #expect(site["/\"'<>/"] == "-> /%22'%3c%3e")
        #expect(site.made.warnings == [])
    }

    @Test func namesThatAreNoTextAreTold() throws {
        try write("ok.txt", "x")
        let bytes: [CChar] = "\(fixture.root)/site/public/bad".utf8CString.dropLast() + [-1, 27, 0]
        close(open(bytes, O_CREAT | O_WRONLY, 0o644))
        let site = try index()
        #expect(site.index.files.count == 1)
        #expect(site.made.warnings.count == 1)
        #expect(site.made.warnings.first?.contains("names that are not UTF-8 are not served: bad") == true)
        #expect(site.made.warnings.first?.utf8.contains(27) == false)
    }

    @Test func links() throws {
        try write("real.txt", "x")
        try write("sub/.hidden/x", "x")
        try write(".well-known/y", "y")
        try fixture.write("site/outside.txt", "secret")
        link("in.txt", "real.txt")
        link("sub/up.txt", "../real.txt")
        link("chain.txt", "sub/up.txt")
        link("out.txt", "../outside.txt")
        link("etc.txt", "/etc/passwd")
        link("folder", "sub")
        link("hidden", "sub/.hidden/x")
        link("known", ".well-known/y")
        link("loop", "loop")
        link("gone", "nowhere")
        link("es\u{1B}[31mc", "/")
        let site = try index()
        for path in ["/in.txt", "/sub/up.txt", "/chain.txt"] { #expect(site[path] == "real.txt", "\(path)") }
        #expect(site["/known"] == ".well-known/y")
        for path in ["/out.txt", "/etc.txt", "/folder", "/hidden", "/loop", "/gone", "/folder/up.txt"] {
            #expect(site[path] == nil, "\(path)")
        }
        let told = try #require(site.made.warnings.first)
        #expect(told.contains("are not served: ") && told.hasSuffix(" and 2 more"), "\(told)")
        #expect(!told.utf8.contains(27))
        #expect(site.made.warnings.count == 1)
    }

    @Test func aDirectoryThatLeadsOut() throws {
        try fixture.write("site/x", "x")
        symlink("/etc", "\(fixture.root)/site/public")
        symlink("real", "\(fixture.root)/site/other")
        try fixture.write("site/real/a.txt", "a")
        let artifact = try store.store("\(fixture.root)/site", id: "a").artifact
        #expect(
            code { _ = try index(artifact, .init(directory: "public", path: "/", isSite: true)) }
                == "path-outside")
        #expect(
            code { _ = try index(artifact, .init(directory: "nope", path: "/", isSite: true)) }
                == "static-missing")
        #expect(
            code { _ = try index(artifact, .init(directory: "x", path: "/", isSite: true)) }
                == "static-missing")
        let within = try index(artifact, .init(directory: "other", path: "/", isSite: true))
        #expect(within.file("/a.txt")?.source == "tree/real/a.txt")
        let again = SiteIndexer(
            artifact: artifact, source: .init(directory: "other", path: "/", isSite: true),
            cancellation: Cancellation())
        #expect(try again.make(fallback: nil) == nil)
        #expect(code { _ = try again.make(fallback: "b.html") } == "static-fallback")
        #expect(try Files.list(within.directory).filter { $0.hasPrefix(".") } == [])
    }

    @Test func nothingToServe() throws {
        try write(".hidden", "x")
        try write("_redirects", "/a /b")
        #expect(code { _ = try index() } == "static-empty")
    }

    @Test func theFallbackIsAPageOfIt() throws {
        try write("app/index.html", "x")
        #expect(code { _ = try index(fallback: "index.html", id: "a") } == "static-fallback")
        try write("app/index.html", "x")
        #expect(code { _ = try index(fallback: "app", id: "b") } == "static-fallback")
        try write("app/index.html", "x")
        #expect(try index(fallback: "app/index.html", id: "c").index.files.count == 1)
    }

    // MARK: Content

    @Test func compressedForms() throws {
        let text = String(repeating: "some words ", count: 500)
        let packed = try #require(Gzip.compress(Array(text.utf8)))
        try write("plain.txt", text)
        try write("own.txt", text)
        try write("own.txt.gz", packed)
        try write("own.txt.br", "brotli")
        // None of its, and none at all.
        try write("wrong.txt", text)
        try write("wrong.txt.gz", "this is no gzip, though it is long enough")
        try write("stale.txt", text + "more")
        try write("stale.txt.gz", packed)
        try write("empty.txt", text)
        try write("empty.txt.gz", "")
        try write("empty.txt.br", "")
        try write("small.txt", "small")
        try write("picture.png", text)
        try write("none.txt", "")
        try write("noise.txt", (0..<4096).map { _ in UInt8.random(in: 0...255) })
        let site = try index()
        for name in ["plain", "wrong", "stale", "empty"] {
            let variant = try #require(site.file("/\(name).txt")?.gzip, "\(name)")
            #expect(variant.source.hasPrefix("site-"), "\(name)")
            #expect(try Files.read("\(site.directory)/\(variant.source)").count == variant.size)
        }
        #expect(site.file("/own.txt")?.gzip == .init(source: "tree/public/own.txt.gz", size: packed.count))
        #expect(site.file("/own.txt")?.brotli == .init(source: "tree/public/own.txt.br", size: 6))
        #expect(site.file("/empty.txt")?.brotli == nil)
        for name in ["small.txt", "picture.png", "none.txt", "noise.txt"] {
            #expect(site.file("/\(name)")?.gzip == nil, "\(name)")
        }
        #expect(site.file("/own.txt.gz")?.type == "application/gzip")
        #expect(site.made.compressed == 4)
        #expect(site.made.warnings.count == 1)
        #expect(site.made.warnings.first?.hasSuffix("empty.txt.gz, stale.txt.gz, wrong.txt.gz") == true)
    }

    @Test func tagsAreOfTheContent() throws {
        try write("a.txt", "same")
        try write("b/c.txt", "same")
        try write("d.txt", "other")
        let first = try index(id: "a")
        #expect(first.file("/a.txt")?.tag == first.file("/b/c.txt")?.tag)
        #expect(first.file("/a.txt")?.tag != first.file("/d.txt")?.tag)
        #expect(first.file("/a.txt")?.tag.utf8.count == 32)
        try write("z.txt", "same")
        #expect(try index(id: "b").file("/z.txt")?.tag == first.file("/a.txt")?.tag)
    }

    /// Two releases of one artifact at a time: one of them makes the index, the other takes it.
    @Test func atTheSameTime() async throws {
        for number in 0..<50 { try write("f\(number).txt", String(repeating: "text \(number) ", count: 500)) }
        let artifact = try store.store("\(fixture.root)/site", id: "a").artifact
        let source = SiteSource(directory: "public", path: "/", isSite: true)
        let made = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    try await Blocking.run {
                        try SiteIndexer(artifact: artifact, source: source, cancellation: Cancellation())
                            .make(
                                fallback: nil) != nil
                    }
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(made == 1)
    }

    @Test func anIndexThatCannotBeReadIsMadeAnew() throws {
        try write("a.txt", "a")
        let source = SiteSource(directory: "public", path: "/", isSite: true)
        let artifact = try store.store("\(fixture.root)/site", id: "a").artifact
        let first = try index(artifact, source)
        try Files.replace("\(first.directory)/\(source.folder)/index", with: Array("site=1".utf8))
        #expect(try index(artifact, source).index == first.index)
    }

    @Test func itIsCancelled() throws {
        try write("a.txt", "a")
        let artifact = try store.store("\(fixture.root)/site", id: "a").artifact
        let cancellation = Cancellation()
        cancellation.cancel()
        #expect(throws: CancellationError.self) {
            try SiteIndexer(
                artifact: artifact, source: .init(directory: "public", path: "/", isSite: true),
                cancellation: cancellation
            ).make(fallback: nil)
        }
        #expect(try Files.list("\(store.root)/a").sorted() == ["manifest", "tree"])
    }
}
