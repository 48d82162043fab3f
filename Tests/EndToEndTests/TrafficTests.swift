// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// What an operator does with a service's requests: pause, maintenance, more and fewer instances.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct TrafficTests {
    @Test func aPauseLetsRequestsWaitAndSurvivesARestart() async throws {
        // Half a minute is what requests wait in a pause; what is done meanwhile takes longer where there is much to do.
        try await Server.with(environment: { _ in ["KINTO_HOLD=5m"] }) { server in
            try await server.setUp()
            try await server.push("first")
            #expect(try await server.kinto("pause", "hello").output.contains("kinto resume hello"))
            #expect(try await server.kinto("status").output.contains("hello/production is paused"))
            let waiting = Task { try await server.get(timeout: 600_000) }
            // A deploy goes on meanwhile, and the server may come and go.
            try await server.push("second")
            _ = server.stop()
            try await server.serve()
            let status = try await server.json("status", "--json") as? [String: Any]
            #expect(((status?["services"] as? [[String: Any]])?.first?["paused"] as? Bool) == true)
            #expect(try await server.kinto("resume", "hello").output.contains("takes requests again"))
            let answer = try await waiting.value
            #expect(answer.status == 200)
            #expect(String(decoding: answer.body, as: UTF8.self).hasPrefix("release=2 "))
            #expect(try await server.kinto("resume", "hello").status == 3)
        }
    }

    @Test func maintenanceClosesAndOpens() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            try server.write("closed.html", "<h1>Back at noon</h1>")
            #expect(
                try await server.kinto(
                    "maintenance", "hello", "on", "--page", "\(server.work)/closed.html", "--retry-after",
                    "10m"
                ).status == 0)
            let closed = try await server.get()
            #expect(closed.status == 503)
            #expect(String(decoding: closed.body, as: UTF8.self) == "<h1>Back at noon</h1>")
            // A deploy does not open it.
            try await server.push("second")
            #expect(try await server.get().status == 503)
            #expect(try await server.kinto("maintenance", "hello", "on", "--allow", "127.0.0.1").status == 0)
            #expect(try await server.get().status == 200)
            #expect(try await server.kinto("maintenance", "hello", "on", "--allow", "nonsense").status == 2)
            #expect(try await server.kinto("maintenance", "hello", "on").status == 0)
            #expect(try await server.get().status == 503)
            #expect(try await server.kinto("maintenance", "hello", "off").status == 0)
            #expect(try await server.get().status == 200)
        }
    }

    @Test func whatCannotRunTwiceIsStoppedFirstAndVisitorsWait() async throws {
        try await Server.with(environment: { _ in ["KINTO_HOLD=3m"] }) { server in
            let settings =
                #"{"start":"python3 server.py","probe":{"path":"/","deadline":"90s"},"rollout":{"strategy":"recreate","stop":{"grace":"5s"}}}"#
            try await server.setUp(settings)
            // It takes a lock that only one process can have.
            try server.write(
                "server.py",
                "import fcntl\nlock = open('\(server.root)/lock', 'w')\nfcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
                    + Server.application)
            #expect(try await server.push("first").output.contains("Release 1 is live"))
            let visitors = Visitors(server)
            try await server.until { visitors.saw(1) }
            #expect(try await server.push("second").output.contains("Release 2 is live"))
            try await server.until { visitors.saw(2) }
            // One that fails: the one before it is started again, from its artifact.
            try server.write(
                "kinto.json",
                settings.replacing("python3 server.py", with: "sleep 3000").replacing("90s", with: "2s"))
            let third = try await server.push("third").output
            #expect(third.contains("Starting release 2 again"))
            #expect(third.contains("did not listen"))
            #expect(try await server.get().status == 200)
            let releases = try await server.releases("hello")
            #expect(releases.map { $0["live"] as? Bool } == [false, true, false])
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(5))")
        }
    }

    @Test func theReceiptOfASwapTellsWhatItTouched() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"drain":"20s","stop":{"grace":"5s"}}}"#
            )
            try server.write(
                "server.py",
                Server.application.replacingOccurrences(
                    of: "        self.rfile.read(",
                    with: """
                                import time
                                if self.path != "/":
                                    open("\(server.root)" + self.path + "-begun", "w").close()
                                    while not os.path.exists("\(server.root)" + self.path): time.sleep(0.02)
                                self.rfile.read(
                        """))
            try await server.push("first")
            // One ends within the drain, one does not.
            async let ends = server.get("/ends", timeout: 600_000)
            async let late = server.get("/late", timeout: 600_000)
            try await server.until {
                Files.exists("\(server.root)/ends-begun") && Files.exists("\(server.root)/late-begun")
            }
            async let pushing = server.push("second")
            try await server.until { try await server.text("hello.localhost").hasPrefix("release=2 ") }
            try server.touch("ends")
            let push = try await pushing
            #expect(push.output.contains("1 requests were still on their way after 20s and were cut"))
            #expect(try await ends.status == 200)
            #expect(try await late.status == 504)
            let swap = try #require(try await server.releases("hello").first?["swap"] as? [String: Any])
            #expect(swap["cut"] as? Int == 1)
            #expect(swap["failed"] as? Int == 1)
            #expect(try #require(swap["requests"] as? Int) >= 2)
            #expect(swap["delayed"] as? Int == 0)
        }
    }

    @Test func scalingAddsAndTakesInstancesAndLosesNoRequest() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let visitors = Visitors(server)
            func count() async throws -> Int {
                (try await server.releases("hello").first?["instances"] as? [[String: Any]])?.count ?? 0
            }
            for number in [3, 2, 4, 1] {
                #expect(try await server.kinto("scale", "hello", "\(number)").status == 0)
                #expect(try await count() == number)
            }
            #expect(try await server.kinto("scale", "hello", "3").status == 0)
            // The number holds for what comes after, until it is given back to kinto.json.
            try await server.push("second")
            #expect(try await count() == 3)
            #expect(try await server.kinto("scale", "hello", "0").status == 0)
            #expect(try await count() == 1)
            #expect(try await server.releases("hello").first?["status"] as? String == "deployed")
            #expect(try await server.kinto("scale", "hello", "101").status == 2)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(5))")
            #expect(tally.answered > 50)
        }
    }
}
