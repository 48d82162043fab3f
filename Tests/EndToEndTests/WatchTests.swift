// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// A release is watched after its swap, and the one before it comes back when it is no good.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct WatchTests {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"stop":{"grace":"5s"},"watch":"20m","warm":"20m"}}"#

    /// The application with some seconds to live from the first request that a visitor sends. Started again it does not
    /// listen: how often that is done before the release is undone is the machine's affair.
    private func dying(_ server: Server, after seconds: Double) -> String {
        Server.application.replacingOccurrences(
            of: "        self.rfile.read(",
            with: """
                        if self.headers.get("Via") and not hasattr(Handler, "end"):
                            import threading
                            Handler.end = threading.Timer(\(seconds), lambda: (open(died, "w").close(), os._exit(3)))
                            Handler.end.start()
                        self.rfile.read(
                """
        ).replacingOccurrences(
            of: "class Handler",
            with: """
                died = "\(server.root)/died-" + os.environ["KINTO_RELEASE"]
                if os.path.exists(died):
                    import time
                    time.sleep(10000)
                class Handler
                """)
    }

    @Test(arguments: [0.01, 0.5, 5])
    func aReleaseThatDiesAfterTheSwapIsUndone(seconds: Double) async throws {
        // Visitors wait for as long as it takes to undo it.
        try await Server.with(environment: { _ in ["KINTO_HOLD=3m"] }) { server in
            try await server.setUp(Self.settings)
            try await server.push("good")
            let first = try #require(
                try await server.releases("hello").first?["instances"] as? [[String: Any]])
            let visitors = Visitors(server)
            try server.write("server.py", dying(server, after: seconds))
            try await server.push("bad")
            try await server.until {
                try await server.releases("hello").first?["status"] as? String == "failed"
            }
            let releases = try await server.releases("hello")
            #expect(releases.map { $0["live"] as? Bool } == [false, true])
            // The same process, not a new one.
            let now = try #require(releases[1]["instances"] as? [[String: Any]])
            #expect(now[0]["pid"] as? Int == first[0]["pid"] as? Int)
            let failure = try #require(releases[0]["failure"] as? [String: Any])
            #expect(failure["code"] as? String == "watch-exited")
            let message = try #require(failure["message"] as? String)
            #expect(message == "web.1 exited with code 3 after its release was live; release 1 is back")
            #expect((failure["evidence"] as? [String])?.first?.hasPrefix("it took ") == true)
            try await server.until { (try await server.get().body).starts(with: "release=1 ".utf8) }
            let tally = await visitors.end()
            // Lost is only what the process had already when it died, from eight visitors: a POST, or an answer
            // half-way.
            #expect(tally.failures.count <= 8, "\(tally.failures)")
            // What was left of it is gone, and its log says why.
            try await server.until {
                (try await server.releases("hello").first?["instances"] as? [[String: Any]])?.isEmpty == true
            }
            let log = try await server.kinto("logs", "hello", "--release", "2").output
            #expect(log.contains("Release 2 failed: web.1 exited with code 3"))
            #expect(try await server.kinto("rollback", "hello", "2").status == 3)
        }
    }

    @Test func aReleaseThatBeginsToAnswer500IsUndoneAndTwoInARowStopPushes() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.push("good")
            let visitors = Visitors(server)
            let bad = Server.application.replacingOccurrences(
                of: "self.send_response(200)",
                with: #"self.send_response(500 if self.headers.get("Via") else 200)"#)
            for number in [2, 3] {
                try server.write("server.py", bad + "\n# \(number)")
                try await server.push("bad \(number)")
                try await server.until {
                    try await server.releases("hello").first?["status"] as? String == "failed"
                }
                let release = try #require(try await server.releases("hello").first)
                #expect(release["number"] as? Int == number)
                let failure = try #require(release["failure"] as? [String: Any])
                #expect(failure["code"] as? String == "watch-errors")
            }
            let status = try await server.json("status", "--json") as? [String: Any]
            let service = try #require((status?["services"] as? [[String: Any]])?.first)
            #expect(
                service["deploysStopped"] as? String == "releases 2 and 3 failed after they were live")
            #expect(try await server.kinto("status").output.contains("releases 2 and 3 failed"))
            // A push is told and makes no release.
            try server.write("server.py", Server.application + "\n# mended")
            let push = try await server.push("mended")
            #expect(push.output.contains("automatic deploys of hello/production are stopped"))
            #expect(push.output.contains("kinto deploy hello"))
            #expect(try await server.releases("hello").count == 3)
            // By hand it goes, and when it has gone well so do pushes.
            try server.write(
                "kinto.json",
                Self.settings.replacingOccurrences(of: #""watch":"20m""#, with: #""watch":"1s""#))
            try await server.push("watched less")
            #expect(try await server.kinto("deploy", "hello").status == 0)
            try await server.until {
                let status = try await server.json("status", "--json") as? [String: Any]
                return ((status?["services"] as? [[String: Any]])?.first?["deploysStopped"] as? String) == nil
            }
            #expect(try await server.push("again").output.contains("Release 5 is live"))
            try await server.until { visitors.saw(5) }
            let tally = await visitors.end()
            #expect(tally.failures.allSatisfy { $0.hasPrefix("500 ") }, "\(tally.failures.prefix(3))")
            #expect(tally.releases.isSuperset(of: [1, 4, 5]))
        }
    }

    @Test func aGoodReleaseBetweenTwoBadOnesKeepsPushesGoing() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.push("good")
            for number in [2, 4] {
                try server.write("server.py", dying(server, after: 0.01) + "\n# \(number)")
                try await server.push("bad")
                let visitors = Visitors(server)
                try await server.until {
                    try await server.releases("hello").first?["status"] as? String == "failed"
                }
                _ = await visitors.end()
                try server.write("server.py", Server.application + "\n# \(number + 1)")
                #expect(try await server.push("good").output.contains("Release \(number + 1) is live"))
            }
        }
    }

    @Test func aReleaseWhoseProbeFailsLaterIsUndoneEvenByTheNextServer() async throws {
        try await Server.with { server in
            try await server.setUp(
                Self.settings.replacingOccurrences(of: #""path":"/""#, with: #""path":"/healthz""#))
            try await server.push("good")
            let flag = "\(server.root)/sick"
            try server.write(
                "server.py",
                Server.application.replacingOccurrences(
                    of: "self.send_response(200)",
                    with:
                        "self.send_response(503 if self.path == '/healthz' and os.path.exists('\(flag)') else 200)"
                ))
            #expect(try await server.push("sick later").output.contains("Release 2 is live"))
            _ = server.stop()
            try await server.serve()
            #expect(FileManager.default.createFile(atPath: flag, contents: nil))
            try await server.until {
                try await server.releases("hello").first?["status"] as? String == "failed"
            }
            let releases = try await server.releases("hello")
            #expect((releases[0]["failure"] as? [String: Any])?["code"] as? String == "watch-probe")
            #expect(releases[1]["live"] as? Bool == true)
            #expect(String(decoding: try await server.get().body, as: UTF8.self).hasPrefix("release=1 "))
        }
    }

    @Test func whatIsNotKeptWarmIsStartedAgain() async throws {
        try await Server.with { server in
            let settings = Self.settings.replacingOccurrences(
                of: #""warm":"20m""#, with: #""warm":"0s""#)
            try await server.setUp(settings)
            try await server.push("good")
            try server.write("server.py", dying(server, after: 3))
            #expect(try await server.push("bad").output.contains("Release 1 drained and stopped"))
            #expect(try await server.get().status == 200)
            try await server.until {
                let newest = try await server.releases("hello").first
                return newest?["number"] as? Int == 3 && newest?["status"] as? String == "deployed"
            }
            let releases = try await server.releases("hello")
            #expect(releases.map { $0["status"] as? String } == ["deployed", "failed", "deployed"])
            #expect(releases[0]["rollbackOf"] as? Int == 1)
            #expect(String(decoding: try await server.get().body, as: UTF8.self).hasPrefix("release=3 "))
        }
    }

    @Test func aWarmReleaseIsTakenBackAndStoppedWhenItsTimeIsOver() async throws {
        try await Server.with { server in
            try await server.setUp(
                Self.settings)
            try await server.push("1")
            try await server.push("2")
            func pids() async throws -> [[Int]] {
                try await server.releases("hello").map { release in
                    (release["instances"] as? [[String: Any]] ?? []).compactMap { $0["pid"] as? Int }
                }
            }
            let before = try await pids()
            #expect(before.allSatisfy { $0.count == 1 })
            let visitors = Visitors(server)
            #expect(try await server.kinto("rollback", "hello").output.contains("was still running"))
            #expect(try await pids() == [before[1], before[0], []])
            #expect(try await server.kinto("rollback", "hello").status == 0)
            #expect(try await pids() == [before[0], before[1], [], []])
            // One whose time is short, over which the server comes and goes.
            try server.write(
                "kinto.json", Self.settings.replacingOccurrences(of: #""warm":"20m""#, with: #""warm":"15s""#)
            )
            try await server.push("5")
            let short = try #require(try await pids().first?.first)
            try await server.push("6")
            let last = try await pids()[0]
            _ = server.stop()
            try await server.serve()
            try await server.until { try await pids() == [last, [], [], [], [], []] }
            try await server.until { kill(Int32(short), 0) != 0 && kill(Int32(before[1][0]), 0) != 0 }
            #expect(await visitors.end().failures.isEmpty)
        }
    }
}
