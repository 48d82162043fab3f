// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Static sites, and the files of web services: pushed, and answered by the proxy.
@Suite(.timeLimit(.minutes(5)))
struct SiteTests {
    /// The head and the body that curl sees.
    private func curl(_ server: Server, _ path: String, _ more: String...) async throws -> String {
        try await server.run(
            "/usr/bin/curl",
            ["-sS", "-m", "60", "-H", "Host: hello.localhost"] + more + [
                "http://127.0.0.1:\(server.proxy)\(path)"
            ]
        ).output
    }

    @Test func aPushedSiteIsServedWithNothingRunning() async throws {
        try await Server.with { server in
            try await server.setUpSite(
                #"{"static":{}}"#,
                [
                    "public/index.html": "<h1>one</h1>", "public/about.html": "about",
                    "public/docs/index.html": "docs", "public/404.html": "not here",
                    "public/assets/app.3f2a9c1d.js": String(repeating: "let a = 1;\n", count: 500),
                    "public/.env": "SECRET=1", "secret.txt": "outside",
                    "public/_redirects":
                        "/old/*  /docs/:splat  301\n/gone  /404.html  410\n/about  /docs/  302!\nbad\n",
                    "public/_headers": "/*\n  X-Frame-Options: DENY\n/docs/*\n  Cache-Control: no-store\n",
                ])
            let pushed = try await server.push("first").output
            #expect(pushed.contains("Site: 5 files, 1 of them compressed as well"), "\(pushed)")
            #expect(pushed.contains("_redirects, line 4: it needs two paths"), "\(pushed)")
            #expect(pushed.contains("Release 1 is live at http://hello.localhost"), "\(pushed)")
            let live = try #require(try await server.releases("hello").first)
            #expect((live["instances"] as? [Any])?.isEmpty == true)

            #expect(try await server.page("/") == "200 <h1>one</h1>")
            #expect(try await server.page("/index.html?x=1") == "200 <h1>one</h1>")
            #expect(try await server.page("/docs/") == "200 docs")
            #expect(try await server.page("/about.html") == "200 about")
            for hidden in [
                "/.env", "/_headers", "/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/nope",
            ] {
                #expect(try await server.page(hidden) == "404 not here", "\(hidden)")
            }
            #expect(try await server.page("/gone") == "410 not here")
            #expect(try await server.page("/%zz").hasPrefix("400 "))
            for (path, status, place) in [
                ("/docs", "301", "/docs/"), ("/old/a/b?x=1", "301", "/docs/a/b?x=1"),
                ("/about", "302", "/docs/"),
            ] {
                let head = try await curl(server, path, "-I")
                #expect(
                    head.contains("HTTP/1.1 \(status)") && head.contains("Location: \(place)\r\n"), "\(head)")
            }

            let page = try await curl(server, "/", "-I")
            for line in [
                "Content-Type: text/html; charset=utf-8", "Cache-Control: public, max-age=0, must-revalidate",
                "X-Frame-Options: DENY", "Content-Length: 12", "Accept-Ranges: bytes", "Date: ",
            ] {
                #expect(page.contains(line), "\(line) in \(page)")
            }
            #expect(try await curl(server, "/docs/", "-I").contains("Cache-Control: no-store"))
            let hashed = try await curl(
                server, "/assets/app.3f2a9c1d.js", "-I", "-H", "Accept-Encoding: gzip;q=1, br")
            for line in [
                "Cache-Control: public, max-age=31536000, immutable", "Content-Encoding: gzip",
                "Vary: Accept-Encoding", "Content-Type: text/javascript; charset=utf-8",
            ] {
                #expect(hashed.contains(line), "\(line) in \(hashed)")
            }
            #expect(
                try await curl(server, "/assets/app.3f2a9c1d.js", "--compressed")
                    == String(repeating: "let a = 1;\n", count: 500))

            // Conditions and ranges.
            let tag = page.split(separator: "\r\n").first { $0.hasPrefix("ETag: ") }?.dropFirst(6) ?? ""
            #expect(tag.count == 34)
            #expect(
                try await curl(server, "/", "-I", "-H", "If-None-Match: W/\(tag)").contains(
                    " 304 Not Modified"))
            #expect(try await curl(server, "/", "-r", "4-6") == "one")
            #expect(try await curl(server, "/", "-r", "-5") == "</h1>"[...].suffix(5))
            #expect(try await curl(server, "/", "-i", "-r", "99-").contains("Content-Range: bytes */12"))
            #expect(try await curl(server, "/", "-r", "4-6", "-H", "If-Range: \"x\"") == "<h1>one</h1>")
            let post = try await curl(server, "/", "-i", "-d", "x=1")
            #expect(post.contains(" 405 ") && post.contains("Allow: GET, HEAD, OPTIONS"), "\(post)")
        }
    }

    @Test func aSwapLosesNoRequestAndOldFilesAnswerForAWhile() async throws {
        try await Server.with { server in
            let big = String(repeating: "0123456789abcdef", count: 1 << 18)
            try await server.setUpSite(
                #"{"static":{"keep":"10m"},"rollout":{"watch":"0s"}}"#,
                [
                    "public/index.html": "one", "public/old.html": "old page", "public/app-1.js": "old",
                    "public/big.txt": big,
                ])
            try await server.push("first")
            let load = SiteVisitors(server, ["/", "/big.txt"])
            for number in 2...4 {
                try server.write(
                    ["public/index.html": "page \(number)", "public/app-\(number).js": "\(number)"])
                try? FileManager.default.removeItem(atPath: "\(server.work)/public/app-\(number - 1).js")
                try? FileManager.default.removeItem(atPath: "\(server.work)/public/old.html")
                try await server.push("release \(number)")
                #expect(try await server.page("/") == "200 page \(number)")
            }
            // Those of all three before it; not their pages.
            for number in 2...4 { #expect(try await server.page("/app-\(number).js") == "200 \(number)") }
            #expect(try await server.page("/app-1.js") == "200 old")
            #expect(try await server.page("/old.html").hasPrefix("404 "))
            let rolled = try await server.kinto("rollback", "hello", "1")
            #expect(rolled.status == 0, "\(rolled.output)")
            #expect(try await server.page("/") == "200 one")
            #expect(try await server.page("/app-4.js") == "200 4")
            let (answered, failures) = await load.end()
            #expect(failures.isEmpty, "\(failures.prefix(5))")
            #expect(answered > 10)

            // At once gone, when that is asked for.
            try server.write(["kinto.json": #"{"static":{"keep":"0s"}}"#])
            try await server.push("forget")
            #expect(try await server.page("/app-4.js") == "200 4")
            #expect(try await server.page("/app-1.js").hasPrefix("404 "))
        }
    }

    @Test func itOutlivesServerAndProxyAndIsSuspended() async throws {
        try await Server.with { server in
            try await server.setUpSite(
                #"{"static":{"output":"dist","fallback":"index.html"},"build":{"command":"mkdir dist && echo built > dist/index.html"}}"#,
                ["README": "x"])
            let pushed = try await server.push("first")
            #expect(pushed.output.contains("Stored 1 files"), "\(pushed.output)")
            let expected = "200 built\n"
            #expect(try await server.page("/") == expected)
            // Where a browser goes to; not what looks like a file.
            #expect(try await server.page("/users/7") == expected)
            #expect(try await server.page("/users/7.png").hasPrefix("404 "))
            #expect(try await curl(server, "/a.b", "-H", "Accept: text/html,*/*") == "built\n")

            server.end(with: SIGKILL)
            #expect(try await server.page("/") == expected)
            try await server.serve()
            #expect(try await server.page("/") == expected)
            #expect(try await server.kinto("proxy", "restart").status == 0)
            #expect(try await server.page("/") == expected)

            #expect(try await server.kinto("suspend", "hello").status == 0)
            #expect(try await server.page("/").hasPrefix("503 "))
            #expect(
                try await server.kinto("suspend", "hello").output.contains("nothing of hello/production runs")
            )
            // A server that is started anew does not wake it.
            server.end(with: SIGKILL)
            try await server.serve()
            #expect(try await server.page("/").hasPrefix("503 "))
            #expect(try await server.kinto("resume", "hello").status == 0)
            #expect(try await server.page("/") == expected)

            // A pause holds requests, and they get the file.
            #expect(try await server.kinto("pause", "hello").status == 0)
            async let held = server.page("/")
            try await server.until {
                let figures = try await server.kinto("status", "--json").output
                return figures.contains("\"paused\" : true") || figures.contains("\"paused\":true")
            }
            #expect(try await server.kinto("resume", "hello").status == 0)
            #expect(try await held == expected)

            // What is wrong is named, and what is live stays.
            for (settings, code, words) in [
                (
                    #"{"static":{"output":"nowhere"}}"#, "output-missing",
                    "no directory 'nowhere' (static.output in kinto.json), and there is no build.command"
                ),
                (
                    #"{"static":{"output":"dist"},"build":{"command":"mkdir -p dest"}}"#, "output-missing",
                    "the build made no directory 'dist' (static.output in kinto.json)"
                ),
                (
                    #"{"static":{"output":"dist/x"},"build":{"output":"dist","command":"mkdir dist && echo > dist/a"}}"#,
                    "static-missing", "there is no directory 'dist/x'"
                ),
                (
                    #"{"static":{"fallback":"app.html"},"build":{"command":"mkdir public; echo > public/a.html"}}"#,
                    "static-fallback", "app.html"
                ),
                (
                    #"{"static":{},"build":{"command":"mkdir public; echo > public/.a"}}"#, "static-empty",
                    "'public' (static.output in kinto.json) holds no file"
                ),
            ] {
                try server.write(["kinto.json": settings])
                let pushed = try await server.push(code).output
                #expect(pushed.contains("What was live before goes on serving"), "\(code): \(pushed)")
                let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
                #expect(failure?["code"] as? String == code)
                #expect((failure?["message"] as? String)?.contains(words) == true, "\(failure ?? [:])")
                #expect((failure?["hints"] as? [Any])?.isEmpty == false, "\(failure ?? [:])")
                if code == "output-missing" {
                    let evidence = failure?["evidence"] as? [String] ?? []
                    #expect(evidence.first?.hasPrefix("there is: ") == true, "\(evidence)")
                    #expect(evidence.first?.contains("dest") == words.contains("'dist'"), "\(evidence)")
                }
                #expect(try await server.page("/") == expected)
            }
        }
    }

    /// Files that the instances have, too: those of before are there for pages that are open.
    @Test func assetsOfAWebService() async throws {
        try await Server.with { server in
            let settings =
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"watch":"0s"},"assets":{"directory":"built","path":"/static"}}"#
            try await server.setUp(settings)
            try server.write(["built/app.11111aaa.js": "first", "built/index.html": "no page"])
            try await server.push("first")
            #expect(try await server.page("/static/app.11111aaa.js") == "200 first")
            // All else goes to the instances.
            for path in ["/", "/static/", "/static", "/static/nope.js"] {
                #expect(try await server.page(path).hasPrefix("200 release=1 "), "\(path)")
            }
            let posted = try await curl(server, "/static/app.11111aaa.js", "-d", "x=1")
            #expect(posted.hasPrefix("release=1 "), "\(posted)")
            try FileManager.default.removeItem(atPath: "\(server.work)/built/app.11111aaa.js")
            try server.write(["built/app.22222bbb.js": "second"])
            try await server.push("second")
            #expect(try await server.page("/static/app.11111aaa.js") == "200 first")
            #expect(try await server.page("/static/app.22222bbb.js") == "200 second")
            // Back at once, and the other way round.
            #expect(try await server.kinto("rollback", "hello").status == 0)
            #expect(try await server.page("/static/app.22222bbb.js") == "200 second")
            #expect(try await server.page("/").hasPrefix("200 release=1 "))
        }
    }

    @Test func overTLSAndHTTP2() async throws {
        try await TLSServer.with { tls in
            let server = tls.server
            let big = String(repeating: "0123456789abcdef", count: 1 << 18)
            try await server.setUpSite(
                #"{"static":{}}"#,
                ["public/index.html": "one", "public/big.txt": big, "public/big.bin": big])
            try await server.push("first")
            try await tls.certify("hello.localhost")
            for version in ["--http1.1", "--http2"] {
                #expect(try await tls.curl("/", version).output == "one")
                #expect(try await tls.curl("/big.bin", version).output == big)
                #expect(try await tls.curl("/big.txt", version, "--compressed").output == big)
                #expect(try await tls.curl("/big.bin", version, "-r", "16-31").output == "0123456789abcdef")
                #expect(
                    try await tls.curl("/", version, "-I").output.lowercased().contains(
                        "content-length: 3\r\n"))
                #expect(
                    try await tls.curl("/nope", version, "-o", "/dev/null", "-w", "%{http_code}").output
                        == "404")
            }
        }
    }
}
