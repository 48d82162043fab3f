// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// What a person is told of a release that failed, after real programs in the real pipeline.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct WhyTests {
    /// Those whose tools the tests have, and that run in a release's directory as they are.
    static let light = FailureFixture.all.filter { fixture in
        let tool = fixture["tool"].split(separator: " ")
        return ["echo", "gcc", "make"].contains(tool.first ?? "")
            && !fixture["command"].contains("exec ./app")
            || tool == ["python3", "--version"]
    }

    @Test func realFailuresAreExplained() async throws {
        try await Server.with { server in
            try await server.setUp()
            #expect(WhyTests.light.count > 20)
            for fixture in WhyTests.light {
                try await server.git("rm", "-q", "-r", "--cached", "--ignore-unmatch", ".")
                try FileManager.default.contentsOfDirectory(atPath: server.work).filter { $0 != ".git" }
                    .forEach { try FileManager.default.removeItem(atPath: "\(server.work)/\($0)") }
                try fixture.write(to: server.work)
                let settings: [String: Any] =
                    fixture.isBuild
                    ? ["start": "true", "build": ["command": fixture["command"]]]
                    : ["start": fixture["command"], "probe": ["deadline": "90s"]]
                try server.write(
                    "kinto.json",
                    String(
                        decoding: try JSONSerialization.data(
                            withJSONObject: settings, options: .withoutEscapingSlashes), as: UTF8.self))
                let push = try await server.push(fixture.name)
                let why = try await server.json("why", "hello", "--json") as? [String: Any] ?? [:]
                let cause = (why["cause"] as? [String: Any])?["code"] as? String
                #expect(cause ?? "none" == fixture["cause"], "\(fixture.name): \(push.output)")
                let evidence = why["evidence"] as? [String] ?? []
                #expect(!evidence.isEmpty, "\(fixture.name)")
                if cause != nil { #expect(push.output.contains("Cause: "), "\(push.output)") }
                // What names a place of the machine, or changes with a version, is another one here.
                let first = fixture["first"]
                if !first.contains("/"), !first.contains("127.0.0.1"), !first.contains("‘"),
                    !["killed-by-system", "out-of-memory"].contains(cause)
                {
                    #expect(evidence.first == first, "\(fixture.name): \(evidence)")
                }
            }
        }
    }

    /// Without a rule that knows them, the lines that tell are there, in their order.
    @Test func whatNoRuleKnowsIsShownInItsOwnWords() async throws {
        try await Server.with { server in
            try await server.setUp()
            try server.write(
                "check.py",
                """
                for n in range(1, 301):
                    print(f"  ✗ page {n}: a dead link" if n in (117, 204) else f"  ✓ page {n}")
                print("300 pages, 2 with dead links")
                raise SystemExit(1)
                """)
            try server.write(
                "Makefile", "check: api.txt\n\t@seq 1 40\n\tsort names > .now\n\tdiff -u api.txt .now\n")
            try server.write("names", "b(x, y)\na(x)\n")
            try server.write("api.txt", "a(x)\nb(x)\n")
            func evidence(_ command: String) async throws -> [String] {
                try server.write(
                    "kinto.json", #"{"start":"python3 server.py","build":{"command":"\#(command)"}}"#)
                #expect(try await server.push(command).output.contains("failed"))
                let why = try await server.json("why", "hello", "--json") as? [String: Any] ?? [:]
                return why["evidence"] as? [String] ?? []
            }
            // What kinto itself says of the build is none.
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","build":{"command":"echo zorg; exit 3","cache":["missing"]}}"#)
            #expect(try await server.push("cache").output.contains("cache missing: miss"))
            let own = try await server.json("why", "hello", "--json") as? [String: Any] ?? [:]
            #expect(own["evidence"] as? [String] == ["zorg"], "\(own)")
            let links = try await evidence("python3 check.py")
            for line in ["  ✗ page 117: a dead link", "  ✗ page 204: a dead link"] {
                #expect(links.contains(line), "\(links)")
            }
            #expect(links.last == "300 pages, 2 with dead links", "\(links)")
            let stale = try await evidence("make check")
            let order = ["diff -u api.txt .now", "-b(x)", "+b(x, y)"].map { stale.firstIndex(of: $0) ?? -1 }
            #expect(order.allSatisfy { $0 >= 0 } && order == order.sorted(), "\(stale)")
            #expect(stale.last?.hasPrefix("make: *** ") == true, "\(stale)")
        }
    }

    @Test func aStepIsRunByItsNumber() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            try server.write("build.sh", "#!/bin/sh\necho built\n")
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"./build.sh"}}"#)
            #expect(try await server.push("not executable").output.contains("(not-executable)"))
            let why = try await server.kinto("why", "hello").output
            #expect(
                why.contains(
                    "\n1 -> set its executable bit and commit: git update-index --chmod=+x build.sh\n"),
                "\(why)")
            #expect(why.contains("changed since release 1, the last good one: build.command (new)"), "\(why)")
            let status = try await server.kinto("status").output
            #expect(
                status.contains(
                    "release 2 failed: build.sh is not executable (not-executable); kinto why hello"),
                "\(status)")
            let token = try String(contentsOfFile: "\(server.home)/token", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let page = try await Visitor(server, ["token": token]).get(
                "/services/hello/production/releases/2")
            #expect(page.text.contains("Cause: build.sh is not executable"), "\(page.text)")
            #expect(page.text.contains(">not-executable</code>"))
            for step in ["0", "9"] {
                #expect(try await server.kinto("why", "hello", "--run", step).status == 2)
            }
            let run = try await server.run(
                "\(server.bin)/kinto", ["why", "hello", "--run", "1", "--home", server.home], in: server.work)
            #expect(run.status == 0, "\(run.output)")
            try await server.git("commit", "-q", "-m", "executable")
            let push = try await server.git("push", "\(server.home)/repos/hello.git", "HEAD:main")
            #expect(push.output.contains("Release 3 is live"), "\(push.output)")
            #expect(try await server.kinto("why", "hello", "2").output.contains("(not-executable)"))
            #expect(try await server.kinto("why", "hello", "3").output == "release 3 is deployed\n")
            #expect(try await server.kinto("why", "hello", "77").status == 3)
            #expect(try await !server.kinto("status").output.contains("failed"))
        }
    }

    @Test func whatTheProbeWasAnsweredIsShownAndExplained() async throws {
        try await Server.with { server in
            try await server.setUp()
            let cases: [(status: Int, field: String, body: String, cause: String, line: String)] = [
                (
                    301, "('Location', 'https://localhost/')", "", "answer-https-redirect",
                    "Location: https://localhost/"
                ),
                (302, "('Location', '/login')", "", "answer-redirect", "Location: /login"),
                (
                    400, "('X', 'y')",
                    "<html><head><style>h1 { x }</style></head><h1>DisallowedHost at /</h1>",
                    "answer-host-refused", "body: DisallowedHost at / "
                ),
                (
                    403, "('X', 'y')", "Blocked hosts: localhost", "answer-host-refused",
                    "body: Blocked hosts: localhost"
                ),
                (401, "('WWW-Authenticate', 'Basic')", "", "answer-login", "WWW-Authenticate: Basic"),
                (404, "('X', 'y')", "nothing here", "answer-not-found", "body: nothing here"),
            ]
            for (status, field, body, cause, line) in cases {
                try server.write(
                    "other.py",
                    """
                    import os
                    from http.server import *
                    class H(BaseHTTPRequestHandler):
                        protocol_version = "HTTP/1.1"
                        def do_GET(self):
                            body = b"\(body)"
                            self.send_response(\(status))
                            self.send_header(*\(field))
                            self.send_header("Content-Length", str(len(body)))
                            self.end_headers()
                            self.wfile.write(body)
                    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()
                    """)
                let push = try await server.push("answers \(status)", failing: "probe-status") {
                    #"{"start":"python3 other.py","probe":{"path":"/","status":"200","deadline":"\#($0)"}}"#
                }
                let why = try await server.json("why", "hello", "--json") as? [String: Any] ?? [:]
                #expect((why["cause"] as? [String: Any])?["code"] as? String == cause, "\(push.output)")
                let evidence = why["evidence"] as? [String] ?? []
                #expect(evidence.first == "asked: GET / HTTP/1.1, Host: localhost")
                #expect(
                    evidence.dropFirst().first?.hasPrefix("answered: HTTP/1.1 \(status) ") == true,
                    "\(evidence)")
                #expect(evidence.contains(line), "\(evidence)")
            }
        }
    }
}
