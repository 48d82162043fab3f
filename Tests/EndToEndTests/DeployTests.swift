// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import HTTPClient
import Testing

@Suite(.serialized, .timeLimit(.minutes(20)))
struct DeployTests {
    @Test func pushesGoLiveWithNoRequestDropped() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"warm":"20m","stop":{"grace":"5s"}}}"#
            )
            let first = try await server.push("first")
            #expect(
                first.output.contains("Release 1 is live at http://hello.localhost:\(server.proxy)/"),
                "\(first.output)")
            let visitors = Visitors(server)
            for number in 2...4 {
                try server.write("note", "\(number)")
                #expect(
                    try await server.push("change \(number)").output.contains("Release \(number) is live"))
                try await server.until { visitors.saw(number) }
            }
            let back = try await server.kinto("rollback", "hello")
            #expect(back.status == 0, "\(back.output)")
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(5))")
            #expect(tally.releases.isSuperset(of: [2, 3, 4]))
            #expect(
                String(decoding: try await server.get().body, as: UTF8.self).hasPrefix("release=3 "),
                "its instances were still running")
            let releases = try await server.releases("hello")
            #expect(releases.first?["trigger"] as? String == "rollback")
            #expect(releases.first?["rollbackOf"] as? Int == 3)
            #expect(releases.filter { $0["live"] as? Bool == true }.count == 1)
        }
    }

    /// Scenario 44, and 61 in part.
    @Test func brokenReleasesChangeNothingAndNameTheirCause() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            // Each with a deadline that is told when it is pushed.
            let cases: [(settings: String, code: String)] = [
                (#"{"start":"python3 server.py","build":{"command":"echo oops; exit 3"}}"#, "build-exit"),
                (#"{"start":"python3 server.py","build":{"command":"nosuchprogram"}}"#, "build-not-found"),
                (
                    #"{"start":"python3 server.py","build":{"command":"sleep 60","timeout":"1s"}}"#,
                    "build-timeout"
                ),
                (
                    #"{"start":"python3 server.py","build":{"command":"sleep 60","silence":"1s"}}"#,
                    "build-silent"
                ),
                (#"{"start":"exit 7"}"#, "exited"),
                (#"{"start":"nosuchprogram"}"#, "start-not-found"),
                (#"{"start":"sleep 60","probe":{"deadline":"DEADLINE"}}"#, "not-listening"),
                (#"{"start":"PORT=0 python3 server.py","probe":{"deadline":"DEADLINE"}}"#, "wrong-port"),
                (
                    #"{"start":"HOST=127.0.0.2 python3 server.py","probe":{"deadline":"DEADLINE"}}"#,
                    "wrong-address"
                ),
                (
                    #"{"start":"python3 server.py","probe":{"path":"/","status":"500","deadline":"DEADLINE"}}"#,
                    "probe-status"
                ),
                (#"{"start":"python3 server.py","requires":["DATABASE_URL"]}"#, "variables-missing"),
                (#"{"start":"sleep 60 & exit 0"}"#, "daemonized"),
            ]
            let before = String(decoding: try await server.get().body, as: UTF8.self)
            let visitors = Visitors(server, count: 4)
            for (index, broken) in cases.enumerated() {
                let output = try await server.push("broken \(index)", failing: broken.code) {
                    broken.settings.replacing("DEADLINE", with: $0)
                }.output
                let release = try await server.releases("hello").first
                #expect(release?["status"] as? String == "failed", "\(output)")
                let failure = release?["failure"] as? [String: Any]
                #expect(failure?["code"] as? String == broken.code, "\(failure ?? [:])")
            }
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(5))")
            #expect(String(decoding: try await server.get().body, as: UTF8.self) == before)
            #expect(try await server.kinto("rollback", "hello").status == 3)
            #expect(try await server.kinto("rollback", "hello", "2").status == 3)
        }
    }

    @Test func abortStopsABuildAndAProbe() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            for settings in [
                #"{"start":"python3 server.py","build":{"command":"sleep 3000"}}"#,
                #"{"start":"sleep 3000","probe":{"deadline":"10m"}}"#,
            ] {
                try server.write("kinto.json", settings)
                try await server.git("add", "-A")
                try await server.git("commit", "-q", "-m", "slow")
                let push = Task {
                    try await server.git("push", "\(server.home)/repos/hello.git", "HEAD:main")
                }
                let stage = settings.contains("build") ? "build" : "probe"
                try await server.until {
                    try await server.releases("hello").first?["stage"] as? String == stage
                }
                #expect(try await server.kinto("abort", "hello").status == 0)
                #expect(try await push.value.output.contains("aborted"))
                #expect(try await server.releases("hello").first?["status"] as? String == "aborted")
            }
            #expect(String(decoding: try await server.get().body, as: UTF8.self).hasPrefix("release=1 "))
            // That it was asked for is no trouble of the queue.
            let log = try String(contentsOfFile: "\(server.root)/serve.log", encoding: .utf8)
            #expect(!log.contains("queue cannot be read"), "\(log)")
        }
    }

    @Test func aFirstReleaseThatPrintsNothingSaysNoMoreThanIsSo() async throws {
        try await Server.with { server in
            try await server.setUp(#"{"start":"exit 3"}"#)
            let push = try await server.push("first")
            #expect(push.output.contains("Cause: not known to kinto; it printed nothing"), "\(push.output)")
            #expect(!push.output.contains("What was live before"), "\(push.output)")
        }
    }

    /// Scenario 5.
    @Test func aRestartOfTheServerTouchesNothing() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let before = String(decoding: try await server.get().body, as: UTF8.self)
            let visitors = Visitors(server)
            let took = server.stop()
            // Its visitors, who go on, are not waited for.
            #expect(took < .seconds(120), "\(took)")
            // A push meanwhile is kept.
            try server.write("note", "2")
            #expect(try await server.push("while down").output.contains("the push is kept"))
            #expect(String(decoding: try await server.get().body, as: UTF8.self) == before)
            try await server.serve()
            try await server.until {
                let newest = try await server.releases("hello").first
                return newest?["number"] as? Int == 2 && newest?["live"] as? Bool == true
            }
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(5))")
            #expect(String(decoding: try await server.get().body, as: UTF8.self).hasPrefix("release=2 "))
        }
    }

    @Test func configurationChangesWithoutABuild() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let set = try await server.kinto("config", "hello", "set", "GREETING=good-morning")
            #expect(set.status == 0, "\(set.output)")
            #expect(String(decoding: try await server.get().body, as: UTF8.self).hasSuffix("good-morning"))
            let releases = try await server.releases("hello")
            #expect(releases.first?["trigger"] as? String == "config")
            #expect((releases.first?["timings"] as? [String: Any])?["build"] == nil)
            #expect(try await server.kinto("config", "hello", "list").output == "GREETING=good-morning\n")
            #expect(try await server.kinto("config", "hello", "set", "PORT=1").status == 2)
            #expect(try await server.kinto("deploy", "hello").status == 0)
            #expect(try await server.kinto("suspend", "hello").status == 0)
            #expect(try await server.get().status == 503)
            #expect(try await server.kinto("resume", "hello").status == 0)
            #expect(try await server.get().status == 200)
        }
    }

    @Test func otherPushesDoWhatTheContractSays() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            #expect(
                try await server.push("on a branch", branch: "feature").output.contains(
                    "ignored branch 'feature'"))
            #expect(try await server.releases("hello").count == 1)
            try server.write("kinto.json", #"{"start":5}"#)
            let refused = try await server.push("invalid")
            #expect(refused.status != 0)
            #expect(refused.output.contains("kinto.json:1:10: start must be a string"), "\(refused.output)")
            try await server.git("reset", "-q", "--hard", "HEAD~2")
            try server.write("note", "forced")
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "--amend", "-m", "amended")
            #expect(
                try await server.git("push", "-f", "\(server.home)/repos/hello.git", "HEAD:main").output
                    .contains(
                        "Release 2 is live"))
            #expect(
                try await server.git("push", "\(server.home)/repos/hello.git", ":main").output.contains(
                    "was deleted; what runs stays"))
            #expect(try await server.get().status == 200)
            #expect(try await server.kinto("service", "add", "Bad/Name").status == 2)
            #expect(try await server.kinto("releases", "nosuch").status == 3)
        }
    }

    @Test func signedWebhooksDeploy() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            try await server.kinto("service", "remove", "hello", "--yes")
            // The operator's own bare repository, reached as a URL.
            try await server.git("clone", "-q", "--bare", server.work, "\(server.root)/remote.git")
            let added =
                try await server.json(
                    "service", "add", "hello", "--repo", "file://\(server.root)/remote.git", "--json")
                as? [String: Any]
            let secret = (added?["webhook"] as? [String: Any])?["secret"] as? String ?? ""
            let commit = try await server.git("rev-parse", "HEAD").output.trimmingCharacters(
                in: .whitespacesAndNewlines)
            let body = Array(
                #"{"ref":"refs/heads/main","after":"\#(commit)","repository":{"clone_url":"http://127.0.0.1:1/evil.git"}}"#
                    .utf8)
            func deliver(_ secret: String, to name: String = "hello", id: String = "d-1") async throws
                -> HTTPClient.Response
            {
                let code = HMAC<SHA256>.authenticationCode(
                    for: body, using: SymmetricKey(data: Array(secret.utf8)))
                let digest = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                return try await HTTPClient.send(
                    .init(
                        "POST", url: "http://127.0.0.1:\(server.listen)/hooks/\(name)",
                        headers: [
                            "Content-Type: application/json", "X-GitHub-Event: push",
                            "X-GitHub-Delivery: \(id)", "X-Hub-Signature-256: sha256=\(digest)",
                        ],
                        body: body, timeout: 60_000))
            }
            let wrong = try await deliver("wrong")
            let unknown = try await deliver("wrong", to: "nosuch")
            #expect(wrong.status == 401)
            #expect(unknown.status == 401)
            #expect(wrong.body == unknown.body)
            #expect(try await deliver(secret).status == 202)
            #expect(try await deliver(secret).status == 200)
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
            #expect(try await server.get().status == 200)
            #expect(try await server.releases("hello").count == 1)
        }
    }
}
