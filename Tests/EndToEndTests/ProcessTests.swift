// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Process types beside `web`: docs/processes.md.
@Suite(.timeLimit(.minutes(20)))
struct ProcessTests {
    /// Notes its begin and its end, and whether another one held the lock.
    private static let worker = """
        import fcntl, os, signal, sys, time
        place = os.environ["PLACE"]
        def say(word):
            with open(place + "/events", "a") as events:
                events.write("%s %s %s %d %s\\n" % (word, os.environ["KINTO_RELEASE"], os.environ["KINTO_INSTANCE"], os.getpid(), os.environ.get("PORT")))
        if os.environ.get("ALONE"):
            lock = open(place + "/lock", "w")
            try: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError: say("double")
        def end(*_):
            say("stop")
            os._exit(0)
        signal.signal(signal.SIGTERM, end)
        say("start")
        print("works", flush=True)
        while not os.path.exists(place + "/die" + os.environ["KINTO_RELEASE"]): time.sleep(0.02)
        sys.exit(7)
        """

    private func settings(_ server: Server, _ worker: String, web: Bool = true, more: String = "") -> String {
        #"{"env":{"PLACE":"\#(server.root)"},\#(web ? #""start":"python3 server.py","probe":{"path":"/"},"# : "")"#
            + #""rollout":{"stop":{"grace":"5s"},"watch":"20m","warm":"20m"},"processes":{"worker":{"command":"python3 worker.py","stable":"300ms"\#(worker)}}\#(more)}"#
    }

    /// It ends before it is ready, however slow the machine is.
    private func failing(_ settings: String) -> String {
        settings.replacingOccurrences(of: "python3 worker.py", with: "echo no database; exit 3")
    }

    private func setUp(_ server: Server, _ settings: String) async throws {
        try await server.setUp(settings)
        try server.write("worker.py", Self.worker)
    }

    private func events(_ server: Server) -> [[String]] {
        ((try? String(contentsOfFile: "\(server.root)/events", encoding: .utf8)) ?? "")
            .split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    }

    /// Those that have begun and not ended: `RELEASE INSTANCE`.
    private func running(_ server: Server) -> [String] {
        var open: [String: String] = [:]
        for event in events(server) where event.count == 5 {
            open[event[3]] = event[0] == "start" ? "\(event[1]) \(event[2])" : nil
        }
        return open.filter { kill(Int32($0.key) ?? 0, 0) == 0 }.values.sorted()
    }

    private func instances(_ server: Server, _ index: Int = 0) async throws -> [[String: Any]] {
        try await server.releases("hello")[index]["instances"] as? [[String: Any]] ?? []
    }

    private func pid(_ instances: [[String: Any]], _ name: String) -> Int? {
        instances.first { $0["name"] as? String == name }?["pid"] as? Int
    }

    @Test func webWorkersAndCommandsAreOneRelease() async throws {
        try await Server.with { server in
            let commands =
                #","release":{"command":"echo before >> \#(server.root)/order","after":"echo after >> \#(server.root)/order; exit 4"}"#
            try await setUp(server, settings(server, #","instances":2"#, more: commands))
            let push = try await server.push("first")
            #expect(push.output.contains("Starting worker.1: python3 worker.py"), "\(push.output)")
            #expect(
                push.output.contains("Waiting for worker.1, worker.2 to stay up for 300ms"), "\(push.output)")
            #expect(push.output.contains("Running: worker.1, worker.2"))
            #expect(push.output.contains("Release 1 is live at "))
            #expect(push.output.contains("the after command failed with exit code 4"))
            #expect(push.output.contains("(after-exit); the release stays live"))
            #expect(try String(contentsOfFile: "\(server.root)/order", encoding: .utf8) == "before\nafter\n")
            let first = try await instances(server)
            #expect(first.map { $0["name"] as? String } == ["web.1", "worker.1", "worker.2"])
            #expect(first.map { $0["port"] as? Int == nil } == [false, true, true])
            #expect(events(server).allSatisfy { $0.last == "None" })
            try await server.until { running(server) == ["1 worker.1", "1 worker.2"] }
            try await server.until {
                try await server.kinto("logs", "hello", "--process", "worker.2").output.contains("works")
            }
            let ps = try await server.kinto("ps", "hello").output
            #expect(ps.contains("worker.2"), "\(ps)")

            // The old ones go at the swap, though the release is kept warm.
            #expect(
                try await server.push("second").output.contains("Stopped worker.1, worker.2 of release 1"))
            try await server.until { running(server) == ["2 worker.1", "2 worker.2"] }
            #expect(try await instances(server, 1).map { $0["name"] as? String } == ["web.1"])

            // Back to it: the web process as it is, workers anew.
            #expect(try await server.kinto("rollback", "hello").output.contains("was still running"))
            #expect(pid(try await instances(server), "web.1") == pid(first, "web.1"))
            try await server.until { running(server) == ["3 worker.1", "3 worker.2"] }

            #expect(try await server.kinto("scale", "hello", "worker=3", "web=2").status == 0)
            try await server.until { running(server) == ["3 worker.1", "3 worker.2", "3 worker.3"] }
            #expect(try await instances(server).count == 5)
            #expect(try await server.kinto("scale", "hello", "worker=0").output.contains("0 of worker"))
            try await server.until { running(server) == [] }
            #expect(
                try await server.kinto("scale", "hello", "wroker=1").output.contains("it has web, worker"))
            #expect(try await server.kinto("scale", "hello", "web=0").output.contains("kinto suspend hello"))
            #expect(try await server.kinto("scale", "hello", "worker=default").status == 0)
            try await server.until { running(server) == ["3 worker.1", "3 worker.2"] }
            #expect(try await server.kinto("suspend", "hello").status == 0)
            try await server.until { running(server) == [] }
            #expect(try await server.kinto("resume", "hello").status == 0)
            try await server.until { running(server) == ["4 worker.1", "4 worker.2"] }
        }
    }

    @Test func aWorkerThatFailsLeavesAllAsItWas() async throws {
        try await Server.with { server in
            try await setUp(server, settings(server, ""))
            try await server.push("good")
            let before = try await instances(server)
            try server.write("kinto.json", failing(settings(server, "")))
            let push = try await server.push("bad")
            #expect(push.output.contains("worker.1 exited with code 3 after"), "\(push.output)")
            let failure = try #require(
                try await server.releases("hello").first?["failure"] as? [String: Any])
            #expect(failure["code"] as? String == "exited")
            #expect(failure["stage"] as? String == "probe")
            #expect((failure["evidence"] as? [String])?.contains { $0.contains("no database") } == true)
            let after = try await instances(server, 1)
            #expect(after.map { $0["pid"] as? Int } == before.map { $0["pid"] as? Int })
            try await server.until { running(server) == ["1 worker.1"] }
            #expect(try await server.get().status == 200)
        }
    }

    @Test func aWorkerThatDiesAfterTheSwapBringsTheReleaseBeforeBack() async throws {
        try await Server.with { server in
            try await setUp(server, settings(server, ""))
            try await server.push("good")
            let web = pid(try await instances(server), "web.1")
            try server.write("worker.py", Self.worker + "\n# again")
            try await server.push("bad")
            try await server.until { running(server) == ["2 worker.1"] }
            try server.touch("die2")
            try await server.until {
                try await server.releases("hello").first?["status"] as? String == "failed"
            }

            let releases = try await server.releases("hello")
            #expect((releases[0]["failure"] as? [String: Any])?["code"] as? String == "watch-exited")
            #expect(releases[1]["live"] as? Bool == true)
            try await server.until { running(server) == ["1 worker.1"] }
            #expect(pid(try await instances(server, 1), "web.1") == web)
        }
    }

    @Test func workersThatMayNotOverlapNeverDo() async throws {
        try await Server.with { server in
            try await setUp(
                server,
                settings(server, #","overlap":"never""#).replacingOccurrences(
                    of: #""env":{"#, with: #""env":{"ALONE":"1","#))
            try await server.push("first")
            let web = pid(try await instances(server), "web.1")
            let push = try await server.push("second")
            #expect(push.output.contains("Stopping worker.1 of release 1 first"), "\(push.output)")
            try await server.until { running(server) == ["2 worker.1"] }
            // One that fails: the old one is back, and visitors noticed nothing.
            let good = try String(contentsOfFile: "\(server.work)/kinto.json", encoding: .utf8)
            try server.write("kinto.json", failing(good))
            let failed = try await server.push("third")
            #expect(failed.output.contains("Starting release 2 again"), "\(failed.output)")
            try await server.until { running(server) == ["2 worker.1"] }
            #expect(try await instances(server, 1).map { $0["name"] as? String } == ["web.1", "worker.1"])
            // The way back to a warm one, too.
            #expect(try await server.kinto("rollback", "hello", "1").status == 0)
            try await server.until { running(server) == ["4 worker.1"] }
            #expect(web != nil)
            #expect(events(server).allSatisfy { $0[0] != "double" }, "\(events(server))")
        }
    }

    /// A server that dies anywhere on the way of a release leaves what the next one makes right.
    @Test(arguments: [
        "instance-started:kill@2", "healthy:kill", "swap-recorded:kill", "proxy-told:kill", "draining:kill",
        "stop-sent:kill", "clean-up:kill",
    ])
    func killedServersLeaveOneWorker(fault: String) async throws {
        try await Server.with { server in
            try await setUp(
                server,
                settings(server, #","overlap":"never""#).replacingOccurrences(
                    of: #""env":{"#, with: #""env":{"ALONE":"1","#))
            try await server.push("first")
            _ = server.stop()
            try await server.serve(variables: ["KINTO_FAULT=\(fault)"])
            let pid = server.pid
            try await server.push("second")
            await onThread {
                var status: Int32 = 0
                waitpid(pid, &status, 0)
            }
            try await server.serve()
            try await server.until {
                let newest = try await server.releases("hello").first
                return newest?["number"] as? Int == 2 && newest?["status"] as? String == "deployed"
                    && running(server) == ["2 worker.1"]
            }
            try await server.until {
                try await instances(server, 1).allSatisfy { $0["name"] as? String == "web.1" }
            }
            #expect(
                try await instances(server).map { $0["name"] as? String }.sorted { ($0 ?? "") < ($1 ?? "") }
                    == ["web.1", "worker.1"])
            #expect(events(server).allSatisfy { $0[0] != "double" }, "\(events(server))")
            try await server.until {
                (try? await server.text("hello.localhost"))?.hasPrefix("release=2 ") == true
            }
        }
    }

    @Test func aServiceMayHaveWorkersOnly() async throws {
        try await Server.with { server in
            try await setUp(server, settings(server, "", web: false))
            let push = try await server.push("first")
            #expect(
                push.output.contains("Release 1 is live\n") || push.output.contains("Release 1 is live"),
                "\(push.output)")
            #expect(!push.output.contains("http://hello.localhost"))
            #expect(try await server.get().status == 404)
            let status = try await server.json("status", "--json") as? [String: Any]
            let service = try #require((status?["services"] as? [[String: Any]])?.first)
            #expect(service["url"] as? String == nil)
            try await server.until {
                try await server.kinto("logs", "hello", "--console").output.contains("works")
            }
            // After a reboot.
            server.end(with: SIGKILL)
            for supervisor in try server.supervisors() { kill(supervisor, SIGKILL) }
            try await server.serve()
            try await server.until { running(server) == ["1 worker.1"] }
            // The Procfile's types, where kinto.json does not say otherwise; web comes to it.
            try server.write("Procfile", "web: python3 server.py\nworker: false\nrelease: echo migrated\n")
            try server.write("kinto.json", settings(server, "", web: false))
            let second = try await server.push("second")
            #expect(second.output.contains("migrated"), "\(second.output)")
            try await server.until { running(server) == ["2 worker.1"] }
            #expect(try await server.get().status == 200)
            let pids = events(server).compactMap { Int32($0[3]) }
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            // Of those whose supervisor was killed somebody else waits for the end.
            try await server.until { pids.allSatisfy { kill($0, 0) != 0 } }
        }
    }
}
