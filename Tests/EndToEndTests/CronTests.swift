// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

/// Types with a schedule: docs/cron.md. What is due when is in `CronSchedulerTests`.
@Suite(.timeLimit(.minutes(20)))
struct CronTests {
    private func settings(_ types: String) -> String {
        #"{"start":"python3 server.py","probe":{"path":"/"},"env":{"COLOUR":"blue"},"rollout":{"stop":{"grace":"5s"}},"processes":{"#
            + types + "}}"
    }

    private func history(_ server: Server, _ type: String) async throws -> [[String: Any]] {
        try await server.json("cron", "hello", "history", type, "--json") as? [[String: Any]] ?? []
    }

    private func states(_ server: Server, _ type: String) async throws -> [String] {
        try await history(server, type).map { $0["state"] as? String ?? "" }
    }

    private func figures(_ server: Server, _ token: String) async throws -> String {
        try await server.run(
            "/usr/bin/curl",
            ["-s", "-H", "Authorization: Bearer \(token)", "http://127.0.0.1:\(server.listen)/metrics"]
        ).output
    }

    @Test func aTypeRunsNowInWhatIsLiveAndItsEndAndLogStay() async throws {
        try await Server.with { server in
            try await server.setUp(
                settings(
                    #"""
                    "report":{"command":"echo $COLOUR $SECRET $KINTO_INSTANCE $KINTO_RELEASE ${PORT-none}; exit $(cat code)","schedule":"0 3 * * *","timezone":"Europe/Berlin"},
                    "long":{"command":"echo begun; while :; do sleep 0.1; done","schedule":"@yearly","timeout":"10s"}
                    """#))
            try server.write("code", "0\n")
            try await server.push("first")
            try await server.kinto("config", "hello", "set", "SECRET=hunter2hunter2")
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
            let list = try await server.json("cron", "hello", "--json") as? [[String: Any]] ?? []
            #expect(list.map { $0["type"] as? String } == ["long", "report"])
            #expect((list.last?["nextLocal"] as? String)?.contains("T03:00:00+0") == true)
            #expect(list.last?["last"] == nil)
            #expect(try await !server.kinto("ps", "hello").output.contains("report"))

            let good = try await server.kinto("cron", "hello", "run", "report")
            #expect(good.status == 0)
            #expect(good.output.hasPrefix("blue [redacted] report."), "\(good.output)")
            #expect(good.output.hasSuffix(" 2 none\n"), "\(good.output)")
            try server.write("code", "7\n")
            try await server.push("second")
            let bad = try await server.kinto("cron", "hello", "run", "report")
            #expect(bad.status == 7)
            let runs = try await history(server, "report")
            #expect(runs.map { $0["state"] as? String } == ["failed", "succeeded"])
            #expect(runs.map { $0["code"] as? Int } == [7, 0])
            #expect(runs.map { $0["release"] as? Int } == [3, 2])
            #expect(runs.first?["due"] == nil)
            // Logs of both are there, also by name.
            let first = runs.last?["run"] as? String ?? ""
            #expect(try await server.kinto("cron", "hello", "logs", "report", first).output.contains("blue"))
            // Its last line is written when its end is on record.
            try await server.until {
                try await server.kinto("cron", "hello", "logs", "report").output.contains(
                    "failed with code 7")
            }
            #expect(try await server.kinto("status", "hello").output.contains("report failed (7)"))
            let late = try await server.kinto("cron", "hello", "run", "long")
            #expect(late.status == 124)
            #expect(late.output.contains("begun"))
            #expect(try await states(server, "long") == ["timed-out"])
            #expect(try await server.kinto("cron", "hello", "run", "web").status == 3)
            #expect(try await server.kinto("cron", "hello", "run").status == 2)
            let absent = try await server.kinto("cron", "hello", "logs", "report", "report.999")
            #expect(absent.status == 3 && absent.output.hasPrefix(" !     "), "\(absent.output)")
            #expect(!absent.output.contains("{") && !absent.output.contains("answered"), "\(absent.output)")
            for action in ["history", "logs"] {
                let unknown = try await server.kinto("cron", "hello", action, "nope")
                #expect(
                    unknown.status == 3 && unknown.output.contains("no type 'nope' of hello"),
                    "\(unknown.output)")
            }
            #expect(try await server.kinto("cron", "hello", "history", "long").status == 0)
            for (words, told) in [
                (["hello"], "hello has no environment"), ([], "no service has an environment"),
            ] {
                let nowhere = try await server.run(
                    "\(server.bin)/kinto", ["status"] + words + ["-e", "nope", "--home", server.home])
                #expect(
                    nowhere.status == 3 && nowhere.output.contains("\(told) 'nope'"), "\(nowhere.output)")
            }
            for words in [["status", "nope"], ["cron", "nope", "history"]] {
                let nobody = try await server.run("\(server.bin)/kinto", words + ["--home", server.home])
                #expect(
                    nobody.status == 3 && nobody.output.contains("there is no service 'nope'"),
                    "\(nobody.output)")
            }

            let token = try String(contentsOfFile: "\(server.home)/token", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let visitor = try await Visitor(server, ["token": token])
            #expect(try await visitor.get("/services/hello/production").text.contains("What ran"))
            // They are counted from the first look.
            _ = try await figures(server, token)
            let sent = try await visitor.post("/services/hello/production/cron", ["type": "report"])
            #expect(sent.status == 303, "\(sent.text.prefix(2000))")
            try await server.until {
                try await states(server, "report") == ["failed", "failed", "succeeded"]
            }
            let page = try await visitor.get("/services/hello/production/cron").text
            #expect(page.contains("failed with code 7"), "\(page)")
            #expect(page.contains("ran longer than it may"))
            let link = page.firstMatch(of: #/href="(/services/hello/production/cron/[0-9]+)"/#).map {
                String($0.1)
            }
            #expect(try await visitor.get(try #require(link)).text.contains("blue [redacted]"))
            #expect(try await visitor.get("/services/hello/production/cron/9999").status == 404)
            try await server.until {
                try await figures(server, token).contains(
                    #"kinto_cron_runs_total{service="hello",environment="production",type="report",state="failed"} 1"#
                )
            }

            try await server.kinto("suspend", "hello")
            #expect(try await server.kinto("cron", "hello", "run", "report").status == 3)
            let none = try await server.json("cron", "hello", "--json") as? [Any]
            #expect(none?.isEmpty == true)
            #expect(try await history(server, "report").count == 3)
        }
    }

    @Test func aRunOutlivesTheServerAndWhatWasRecordedRunsOnce() async throws {
        try await Server.with { server in
            let wait =
                "echo $KINTO_INSTANCE >> \(server.root)/began; while [ ! -e \(server.root)/go ]; do sleep 0.05; done"
            try await server.setUp(
                settings(
                    "\"one\":{\"command\":\"\(wait); exit 9\",\"schedule\":\"@yearly\"},"
                        + "\"other\":{\"command\":\"\(wait)\",\"schedule\":\"@yearly\",\"overlap\":\"replace\"}"
                ))
            try await server.push("first")
            func began() -> [String] {
                ((try? String(contentsOfFile: "\(server.root)/began", encoding: .utf8)) ?? "").split(
                    separator: "\n"
                ).map(String.init)
            }
            let name = try await server.kinto("cron", "hello", "run", "one", "--detach", "--quiet").output
                .trimmingCharacters(in: .whitespacesAndNewlines)
            try await server.until { began() == [name] }
            // Its place is taken.
            let busy = try await server.kinto("cron", "hello", "run", "one")
            #expect(busy.status == 3)
            #expect(busy.output.contains("\(name) runs"), "\(busy.output)")
            server.end(with: SIGKILL)
            try await server.serve()
            try await server.until { try await states(server, "one") == ["running"] }
            #expect(try await server.kinto("cron", "hello", "run", "one").status == 3)
            try server.touch("go")
            try await server.until { try await states(server, "one") == ["failed"] }
            #expect(try await history(server, "one").first?["code"] as? Int == 9)
            #expect(began() == [name])

            // It ends while the server is away.
            try FileManager.default.removeItem(atPath: "\(server.root)/go")
            try await server.kinto("cron", "hello", "run", "one", "--detach")
            try await server.until { began().count == 2 }
            server.end(with: SIGKILL)
            try server.touch("go")
            try await server.serve()
            try await server.until { try await states(server, "one") == ["failed", "failed"] }

            // The server dies between the record and the run.
            try FileManager.default.removeItem(atPath: "\(server.root)/go")
            server.end(with: SIGTERM)
            try await server.serve(variables: ["KINTO_FAULT=cron-recorded:kill"])
            _ = try await server.kinto("cron", "hello", "run", "one", "--detach")
            server.end(with: SIGKILL)
            try await server.serve()
            try await server.until { try await states(server, "one").first == "lost" }
            #expect(began().count == 2)

            // Replaced by the next one, and stopped by hand.
            try await server.kinto("cron", "hello", "run", "other", "--detach")
            try await server.until { began().count == 3 }
            try await server.kinto("cron", "hello", "run", "other", "--detach")
            try await server.until { try await states(server, "other") == ["running", "replaced"] }
            try await server.until { began().count == 4 }
            let last = began().last ?? ""
            #expect(try await server.kinto("cron", "hello", "stop", last).status == 0)
            try await server.until { try await states(server, "other") == ["stopped", "replaced"] }
            #expect(try await server.kinto("cron", "hello", "stop", last).status == 3)

            // Suspension ends what runs.
            try await server.kinto("cron", "hello", "run", "other", "--detach")
            try await server.until { began().count == 5 }
            try await server.kinto("suspend", "hello")
            try await server.until { try await states(server, "other").first == "stopped" }
        }
    }

    @Test func itRunsWhenItsTimeComes() async throws {
        try await Server.with { server in
            try await server.setUp(settings(#""tick":{"command":"date +%s","schedule":"* * * * *"}"#))
            try await server.push("first")
            var runs: [[String: Any]] = []
            let latest = ContinuousClock.now + .seconds(180)
            while runs.first?["state"] as? String != "succeeded", ContinuousClock.now < latest {
                try await Task.sleep(for: .seconds(1))
                runs = try await history(server, "tick")
            }
            let run = try #require(runs.last)
            #expect(run["state"] as? String == "succeeded")
            let due = try #require(run["due"] as? String)
            #expect(due.hasSuffix(":00.000Z"), "\(due)")
            let name = try #require(run["run"] as? String)
            let printed = try await server.kinto("cron", "hello", "logs", "tick", name).output
            let second = printed.split(separator: "\n").last?.split(separator: " ").last.flatMap {
                Double($0)
            }
            let time = try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(due)
            #expect((second ?? 0) >= time.timeIntervalSince1970)
            let events = try await server.run(
                "/usr/bin/env",
                [
                    "python3", "-c",
                    "import sqlite3, sys; print(*[r[0] for r in sqlite3.connect(sys.argv[1]).execute(\"SELECT body FROM event WHERE kind = 'cron'\")], sep='\\n')",
                    "\(server.home)/kinto.db",
                ]
            ).output
            #expect(events.contains(#""state":"running""#), "\(events)")
            #expect(events.contains(#""state":"succeeded""#), "\(events)")
            // The server dies when a time is recorded and nothing runs; it may be so soon that it never answered.
            server.end(with: SIGTERM)
            try? await server.serve(variables: ["KINTO_FAULT=cron-recorded:kill"])
            let dead = ContinuousClock.now + .seconds(180)
            while try await server.kinto("status").status == 0, ContinuousClock.now < dead {
                try await Task.sleep(for: .milliseconds(500))
            }
            server.end(with: SIGKILL)
            try await server.serve()
            try await server.until { try await states(server, "tick").contains("lost") }
            let dues = try await history(server, "tick").compactMap { $0["due"] as? String }
            #expect(dues.count >= 2)
            #expect(Set(dues).count == dues.count, "\(dues)")
            // Removed with what it has.
            try await server.kinto("service", "remove", "hello", "--yes")
            #expect(try await server.kinto("cron", "hello").status == 3)
        }
    }
}
