// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// What people push by mistake: each is told with its place and the way on, and what is live stays as it is.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct BadInputTests {
    /// kinto.json is read before the ref moves: the push is refused.
    @Test func settingsThatCannotBeReadAreRefusedBeforeTheRefMoves() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let before = try await server.git("ls-remote", "\(server.home)/repos/hello.git").output
            let deep = String(repeating: "[", count: 100_000)
            let cases: [(what: String, make: String, told: String)] = [
                ("empty", "printf '' > kinto.json", "kinto.json:1:1: "),
                ("a directory", "rm kinto.json; mkdir kinto.json; touch kinto.json/x", "is a directory"),
                ("a symlink out", "ln -sf /etc/passwd kinto.json", "is a symbolic link"),
                ("a symlink in", "mv kinto.json real.json; ln -s real.json kinto.json", "is a symbolic link"),
                (
                    "very large", "head -c 67108864 /dev/zero | tr '\\0' ' ' > kinto.json",
                    "has 67108864 bytes; at most 262144 are read"
                ),
                ("deep", "printf '{\"env\":\(deep)' > kinto.json", "nested"),
                ("not UTF-8", "printf '{\"start\":\"\\377\"}' > kinto.json", "kinto.json:1:11: "),
                ("an unknown key", "printf '{\\n  \"strat\": \"x\"\\n}' > kinto.json", "kinto.json:2:3: "),
                (
                    "a repeated key", "printf '{\"start\":\"a\",\\n \"start\":\"b\"}' > kinto.json",
                    "kinto.json:2:2: "
                ),
                ("no settings", "rm kinto.json", "neither kinto.json nor a Procfile"),
            ]
            for (what, make, told) in cases {
                try await server.shell(make)
                let push = try await server.push(what)
                #expect(push.status != 0, "\(what)")
                #expect(push.output.contains(told), "\(what): \(push.output)")
                #expect(push.output.contains("pre-receive hook declined"), "\(what): \(push.output)")
                try await server.git("reset", "-q", "--hard", "HEAD~1")
            }
            #expect(try await server.git("ls-remote", "\(server.home)/repos/hello.git").output == before)
            #expect(try await server.releases("hello").count == 1)
            #expect(try await server.get().status == 200)
            try server.write("kinto.json", #"{"strat":"x"}"#)
            #expect(try await server.push("typo").output.contains("did you mean 'start'?"))
        }
    }

    @Test func buildsThatMisbehaveEndAndLeaveNothing() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let mark = "4\(UInt32.random(in: 100_000...999_999))"
            let cases: [(command: String, code: String?, told: String)] = [
                ("kill -9 $$", "build-killed", "signal 9"),
                ("setsid sleep \(mark) & exit 0", nil, "is live"),
                ("sleep \(mark) & exit 4", "build-exit", "exit code 4"),
                ("(trap '' TERM; sleep \(mark)) & exit 0", nil, "is live"),
                ("true", nil, "is live"),
                ("head -c 20971520 /dev/zero | tr '\\\\0' 'x'; exit 5", "build-exit", "exit code 5"),
            ]
            for (index, (command, code, told)) in cases.enumerated() {
                try server.write(
                    "kinto.json",
                    #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"\#(command)"}}"#)
                let push = try await server.push("build \(index)")
                #expect(push.output.contains(told), "\(command): \(push.output.suffix(1500))")
                let newest = try await server.releases("hello").first
                #expect(newest?["status"] as? String == (code == nil ? "deployed" : "failed"), "\(command)")
                #expect((newest?["failure"] as? [String: Any])?["code"] as? String == code, "\(command)")
                #expect(try !server.isRunning(mark), "\(command)")
                #expect(try await server.get().status == 200)
            }
            // One that ignores TERM when it is aborted.
            try server.write(
                "kinto.json",
                #"{"start":"x","build":{"command":"trap '' TERM; sleep \#(mark); sleep \#(mark)"}}"#)
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "stubborn")
            let push = Task { try await server.git("push", "\(server.home)/repos/hello.git", "HEAD:main") }
            try await server.until { try server.isRunning(mark) }
            #expect(try await server.kinto("abort", "hello").status == 0)
            #expect(try await push.value.output.contains("aborted"))
            #expect(try !server.isRunning(mark))
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: "\(server.home)/work").allSatisfy {
                    name in
                    try FileManager.default.subpathsOfDirectory(atPath: "\(server.home)/work/\(name)")
                        .allSatisfy {
                            !$0.hasSuffix("server.py")
                        }
                })
        }
    }

    @Test func applicationsThatMisbehaveAreDiagnosed() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let serve = "from http.server import *; import os, socket, time\\n"
            let cases: [(what: String, program: String, probe: String, code: String?, told: String)] = [
                (
                    "only ::1",
                    "\(serve)class S(HTTPServer): address_family = socket.AF_INET6\\nS(('::1', int(os.environ['PORT'])), SimpleHTTPRequestHandler).serve_forever()",
                    #""deadline":"DEADLINE""#, "wrong-address", "[::1]:"
                ),
                (
                    "accepts and hangs",
                    "\(serve)s = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\\ntime.sleep(60)",
                    #""path":"/","timeout":"300ms","deadline":"DEADLINE""#, "probe-timeout",
                    "does not answer GET / within 300ms"
                ),
                (
                    "redirects elsewhere",
                    "\(serve)class H(BaseHTTPRequestHandler):\\n  def do_GET(self):\\n    self.send_response(301); self.send_header('Location', 'https://example.com/'); self.send_header('Content-Length', '0'); self.end_headers()\\nHTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()",
                    #""path":"/","status":"200","deadline":"DEADLINE""#, "probe-status", "301"
                ),
                (
                    "leaves soon after",
                    "\(serve)s = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\\ntime.sleep(0.5); os._exit(9)",
                    #""stable":"20s","deadline":"3m""#, "exited", "exited with code 9"
                ),
                (
                    "speaks something else",
                    "\(serve)s = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\\nwhile True:\\n  c, _ = s.accept(); c.sendall(b'SSH-2.0-x' + bytes([13, 10])); c.close()",
                    #""path":"/","deadline":"DEADLINE""#, "probe-malformed", "does not speak HTTP"
                ),
                (
                    "starts slowly",
                    "import time; time.sleep(1.5)\\nexec(open('server.py').read())",
                    #""path":"/","deadline":"DEADLINE""#, nil, "is live"
                ),
            ]
            for (index, one) in cases.enumerated() {
                try await server.shell("printf '%b' \"\(one.program)\" > other.py")
                let push = try await server.push("application \(index)", failing: one.code) { deadline in
                    let probe = one.probe.replacing("DEADLINE", with: deadline)
                    return #"{"start":"python3 other.py","probe":{\#(probe)}}"#
                }
                let newest = try await server.releases("hello").first
                #expect(
                    (newest?["failure"] as? [String: Any])?["code"] as? String == one.code,
                    "\(one.what): \(push.output)")
                #expect(push.output.contains(one.told), "\(one.what): \(push.output)")
                #expect(try await server.get().status == 200)
            }
        }
    }
}

extension Server {
    /// A shell command in the work tree.
    func shell(_ command: String) async throws {
        let result = try await run("/bin/bash", ["-c", command], in: work)
        guard result.status == 0 else { throw Trouble("\(command.prefix(100)): \(result.output)") }
    }

    /// Whether a process with this word in its command line runs.
    func isRunning(_ word: String) throws -> Bool {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").contains { entry in
            guard Int32(entry) != nil,
                let line = FileManager.default.contents(atPath: "/proc/\(entry)/cmdline")
            else { return false }
            let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return words.first == "sleep" && words.contains(word)
        }
    }
}
