// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import KintoCore
import Runner
import TestSupport
import Testing
import Wire

/// What one home has from other servers: one beside it, one that died, one that stood still.
@Suite(.timeLimit(.minutes(20)))
struct StorageRestartTests {
    @Test("Scenario 15: a second server of one home says who has it and ends; the first notices nothing")
    func twoServers() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let (before, pid) = (try await server.body(), server.pid)
            let visitors = Visitors(server, count: 2)
            // On addresses of its own: it is the home that it cannot have.
            for _ in 0..<3 {
                let tried = try await Server.command([
                    "serve", "--home", server.home, "--listen", "127.0.0.1:\(try FreePort.take())",
                    "--proxy-listen", "127.0.0.1:\(try FreePort.take())",
                ])

                #expect(tried.status == 3, "\(tried.output)")
                #expect(
                    tried.output.contains("another kinto server (pid \(pid)) uses \(server.home)"),
                    "\(tried.output)")

            }
            #expect(try await server.push("second").output.contains("Release 2 is live"))
            #expect(try await server.body() != before)
            #expect(server.pid == pid && kill(pid, 0) == 0)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }

    @Test(
        "Scenario 16: locks of git that a loss of power left keep no push out; one that may be held is only told"
    )
    func staleLocksOfGit() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            _ = server.stop()
            let repository = "\(server.home)/repos/hello.git"
            let stale = ["packed-refs.lock", "refs/heads/main.lock", "objects/maintenance.lock"]
            // What a shell would make something else of, in a branch's name.
            let held = "\(repository)/refs/heads/o;$(id)'ther.lock"
            for path in stale.map({ "\(repository)/\($0)" }) + [held] { try Files.replace(path, with: []) }
            for name in stale {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)],
                    ofItemAtPath: "\(repository)/\(name)")
            }
            try await server.serve()
            try await server.until { stale.allSatisfy { !Files.exists("\(repository)/\($0)") } }
            #expect(try await server.push("second").output.contains("Release 2 is live"))
            #expect(Files.exists(held))
            #expect(!(try await server.kinto("doctor").output.contains(held)))
            // Git's own packing may take its time.
            let packing = "\(repository)/objects/maintenance.lock"
            try Files.replace(packing, with: [])
            for path in [packing, held] {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: -61)], ofItemAtPath: path)
            }
            let other = try await server.git("push", repository, "HEAD:refs/heads/o;$(id)'ther")
            #expect(other.status != 0 && other.output.contains("ther.lock"), "\(other.output)")
            let doctor = try await server.kinto("doctor")
            #expect(doctor.status != 0 && !doctor.output.contains(packing), "\(doctor.output)")
            // As it is told, it does what it says and nothing else.
            let fix = try #require(doctor.output.split(separator: "\n").first { $0.contains(": rm -- ") })
            let command = String(try #require(fix.range(of: "rm -- ").map { fix[$0.lowerBound...] }))
            #expect(try await server.run("/bin/sh", ["-c", command]).status == 0, "\(command)")
            #expect(!Files.exists(held) && Files.exists(packing))
            #expect(try await server.kinto("doctor").status == 0)
        }
    }

    @Test("Scenario 16: stale files are no obstacle, and a pid that is another's now is not signalled")
    func staleFilesAndPids() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let supervisor = try #require(
                try server.supervisors().first { try server.isInstance($0) })
            try await server.killEverything()
            #expect(Files.exists("\(server.home)/kinto.sock"))
            let stranger = try Stranger(in: server)
            defer { stranger.end() }
            // The numbers of what was killed went to somebody else.
            let pid = stranger.pid
            try await server.python(
                """
                import glob, os, re, sqlite3
                c = sqlite3.connect('\(server.home)/kinto.db')
                c.execute("UPDATE release SET body = replace(body, '\\"pid\\":\(supervisor),', '\\"pid\\":\(pid),')")
                assert c.execute("SELECT count(*) FROM release WHERE body LIKE '%\\"pid\\":\(pid),%'").fetchone()[0] == 1
                c.commit()
                """)
            try Files.replace("\(server.home)/lock", with: Array("\(pid)".utf8))
            try await server.serve()
            try await server.until { (try? await server.get().status) == 200 }
            #expect(try await server.push("second").output.contains("Release 2 is live"))
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            #expect(try stranger.signals == "", "the stranger was signalled")
            #expect(kill(pid, 0) == 0)
        }
    }

    @Test("Scenario 18: a server that stands still over a probe and a drain takes nothing for late")
    func standsStill() async throws {
        try await Server.with { server in
            let settings =
                #"{"start":"until [ -e \#(server.root)/go ]; do sleep 0.05; done; exec python3 slow.py","probe":{"path":"/","deadline":"20s"},"rollout":{"drain":"10m","warm":"0s","stop":{"grace":"1s"}}}"#
            try await server.setUp(settings)
            try server.write("slow.py", Self.slow(server.root))
            try server.touch("go")
            #expect(try await server.push("first").output.contains("Release 1 is live"))
            let pid = server.pid
            unlink("\(server.root)/go")
            async let push = server.push("second")
            try await server.until {
                let last = try await server.releases("hello").first
                return last?["number"] as? Int == 2 && last?["stage"] as? String == "probe"
            }
            // Longer than the probe may take; what it waits for comes meanwhile.
            kill(pid, SIGSTOP)
            try server.touch("go")
            try await Task.sleep(for: .seconds(22))
            // Held by what is live, until it is told to end.
            async let held = server.get("/held", timeout: 600_000)
            try await server.until { Files.exists("\(server.root)/held") }
            kill(pid, SIGCONT)
            try await server.until {
                let last = try await server.releases("hello").first
                if last?["status"] as? String == "failed" { throw Trouble("\(last ?? [:])") }
                return last?["live"] as? Bool == true
            }
            // In the drain.
            kill(pid, SIGSTOP)
            try await Task.sleep(for: .seconds(6))
            try server.touch("let-go")
            #expect(try await held.status == 200)
            kill(pid, SIGCONT)
            #expect(try await push.output.contains("Release 2 is live"))
            try await server.until {
                try await server.releases("hello").first?["status"] as? String == "deployed"
            }
            let swap = try await server.releases("hello").first?["swap"] as? [String: Any]
            #expect(swap?["failed"] as? Int == 0, "\(swap ?? [:])")
            #expect(try await server.releases("hello").count == 2)
            try await server.until { server.runningServices().count == 1 }
        }
    }

    @Test(
        "Scenario 53: an artifact that a crash left half is offered to nobody, and the release goes on",
        arguments: ["artifact-written", "artifact-named"])
    func halfAnArtifact(point: String) async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"warm":"0s","watch":"0s"}}"#)
            try await server.push("first")
            _ = server.stop()
            try await server.serve(variables: ["KINTO_FAULT=\(point):kill"])
            try server.write("number", "2")
            try await server.push("second")
            let pid = server.pid
            await onThread {
                var status: Int32 = 0
                waitpid(pid, &status, 0)
            }
            // What a power cut makes of a file that was not synchronised.
            for name in try Files.list("\(server.home)/artifacts") where name.hasPrefix(".") {
                try await server.shell(
                    "for f in $(find \(server.home)/artifacts/\(name) -name number); do chmod u+w $f; : > $f; done"
                )
            }
            let store = try Store(path: "\(server.home)/kinto.db")
            let onRecord = try await store.artifactsOnRecord()
            #expect(onRecord.map(\.0) == ["hello.production.1"])
            try store.close()
            #expect(try await server.get().status == 200)

            try await server.serve()
            try await server.until {
                try await server.releases("hello").first?["status"] as? String == "deployed"
            }
            #expect(try await server.body().hasPrefix("200 release=2 "))
            #expect(
                try Files.read("\(server.home)/artifacts/hello.production.2/tree/number") == Array("2".utf8))
            #expect(try await server.kinto("rollback", "hello", "1").output.contains("is live"))
            #expect(try await server.kinto("rollback", "hello", "2").output.contains("is live"))
            try await server.until {
                try Files.list("\(server.home)/artifacts").allSatisfy { !$0.hasPrefix(".") }
            }
        }
    }

    @Test func aLogThatADyingServerDidNotEndIsEndedByTheNext() async throws {
        try await Server.with { server in
            try await server.setUp()
            _ = server.stop()
            try await server.serve(variables: ["KINTO_FAULT=finished:kill"])
            try await server.push("first")
            let pid = server.pid
            await onThread {
                var status: Int32 = 0
                waitpid(pid, &status, 0)
            }
            let log = "\(server.home)/services/hello/production/releases/1/release.log"
            #expect(!ReleaseLog.isClosed(log))
            try await server.serve()
            let followed = try await server.kinto("logs", "hello", "--release", "1", "-f")
            #expect(followed.output.contains("Release 1 is live"), "\(followed.output)")
            #expect(ReleaseLog.isClosed(log))
        }
    }

    /// The application, with a request that it answers when a file is there.
    private static func slow(_ root: String) -> String {
        Server.application.replacingOccurrences(
            of: "self.rfile.read(",
            with: """
                if self.path == "/held":
                            import time
                            open("\(root)/held", "w").close()
                            while not os.path.exists("\(root)/let-go"): time.sleep(0.02)
                        self.rfile.read(
                """
        ).replacingOccurrences(of: "lambda *a: os._exit(0)", with: "lambda *a: None")
    }
}

/// A process of somebody else's that writes down what it is sent.
private final class Stranger: Sendable {
    let pid: Int32
    private let file: String

    init(in server: Server) throws {
        file = "\(server.root)/signals"
        let program = """
            import signal, sys, time
            for n in range(1, 32):
                if n not in (9, 17, 19): signal.signal(n, lambda s, f: open(sys.argv[1], 'a').write('%d ' % s))
            open(sys.argv[1], 'w').close()
            while True: time.sleep(1)
            """
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        pid = try Spawn(
            path: "/usr/bin/env", arguments: ["env", "python3", "-c", program, file],
            environment: ["PATH=\(path)"]
        ).start()
        for _ in 0..<9000 where !Files.exists(file) { usleep(20_000) }
    }

    var signals: String { get throws { String(decoding: try Files.read(file), as: UTF8.self) } }

    func end() {
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }
}
