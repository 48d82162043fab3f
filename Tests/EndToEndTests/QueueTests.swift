// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// What becomes of triggers that come while others are on their way, with real pushes.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct QueueTests {
    /// A build that lasts until a file `go` is there.
    private static func settings(_ server: Server) -> String {
        #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"drain":"1s","warm":"0s"},"build":{"command":"until test -e \#(server.root)/go; do sleep 0.05; done"}}"#
    }

    /// Commits a change and pushes it without waiting for its end.
    private func push(_ server: Server, _ number: Int) async throws -> Task<Server.Result, any Error> {
        try server.write("note", "\(number)")
        try await server.git("add", "-A")
        try await server.git("commit", "-q", "-m", "\(number)")
        let commit = try await server.git("rev-parse", "HEAD").output.prefix(40)
        let push = Task {
            try await server.git("push", "\(server.home)/repos/hello.git", "\(commit):refs/heads/main")
        }
        try await server.until { try await server.releases("hello").count == number }
        return push
    }

    private func outcome(_ server: Server) async throws -> [String] {
        try await server.releases("hello").reversed().map {
            ($0["status"] as? String ?? "") + (($0["supersededBy"] as? Int).map { " by \($0)" } ?? "")
        }
    }

    /// Scenario 25.
    @Test(arguments: [
        ("wait", ["deployed", "superseded by 3", "deployed"]),
        ("cancel", ["superseded by 2", "superseded by 3", "deployed"]),
        ("every", ["deployed", "deployed", "deployed"]),
    ])
    func pushesDuringADeployDoWhatThePolicySays(policy: String, expected: [String]) async throws {
        try await Server.with { server in
            try await server.setUp()
            try server.write("kinto.json", Self.settings(server))
            #expect(try await server.kinto("service", "set", "hello", "--queue", policy).status == 0)
            let shown = try await server.json("service", "show", "hello") as? [[String: Any]]
            #expect(shown?.first?["queue"] as? String == policy)
            #expect(try await server.kinto("service", "set", "hello", "--queue", "some").status == 2)

            var pushes = [try await push(server, 1)]
            try await server.until {
                try await server.releases("hello").first?["stage"] as? String == "build"
            }
            pushes.append(try await push(server, 2))
            if policy == "cancel" {
                try await server.until {
                    let second = try await server.releases("hello").first
                    return second?["stage"] as? String == "build"
                }
            }
            pushes.append(try await push(server, 3))
            try await server.shell("touch \(server.root)/go")
            for push in pushes { #expect(try await push.value.status == 0) }
            #expect(try await outcome(server) == expected)
            #expect(try await server.body().contains("release=3 "))
            // Never two builds at once: each begins after the one before it is over.
            let releases = try await server.releases("hello").reversed().filter { $0["startedAt"] is String }
            for (earlier, later) in zip(releases, releases.dropFirst()) {
                let ended = try #require(earlier["finishedAt"] as? String)
                let began = try #require(later["startedAt"] as? String)
                #expect(ended <= began)
            }
            if policy == "cancel" {
                let log = try await server.kinto("logs", "hello", "--release", "1", "--build").output
                #expect(log.contains("Superseded by release 2, a newer push"), "\(log)")
            }
        }
    }

    @Test func whatIsLiveIsNotDeployedAgain() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let again = try await server.kinto("deploy", "hello")
            #expect(again.status == 0)
            #expect(again.output.contains("release 1 of hello is live with this commit"), "\(again.output)")
            let answer = try await server.json("deploy", "hello", "--json") as? [String: Any]
            #expect(answer?["alreadyLive"] as? Bool == true)
            #expect(answer?["number"] as? Int == 1)
            #expect(try await server.releases("hello").count == 1)
            // The same push once more: the branch was taken away meanwhile.
            try await server.git("push", "-q", "\(server.home)/repos/hello.git", ":main")
            let push = try await server.git("push", "\(server.home)/repos/hello.git", "HEAD:main")
            #expect(push.output.contains("release 1 is live with this commit"), "\(push.output)")
            #expect(try await server.releases("hello").count == 1)

            #expect(try await server.kinto("deploy", "hello", "--force").output.contains("Release 2 is live"))
            #expect(try await server.kinto("config", "hello", "set", "GREETING=hi").status == 0)
            #expect(try await server.kinto("deploy", "hello").output.contains("release 3 of hello is live"))
            let before = try await server.git("rev-parse", "HEAD").output.trimmingCharacters(
                in: .whitespacesAndNewlines)
            // What failed leaves what was live, and that is deployed already; the failed one is tried again.
            try server.write("kinto.json", #"{"start":"exit 1"}"#)
            try await server.push("broken")
            #expect(try await server.kinto("deploy", "hello").status == 1)
            #expect(try await outcome(server).suffix(2) == ["failed", "failed"])
            let back = try await server.kinto("deploy", "hello", "--ref", before)
            #expect(back.output.contains("release 3 of hello is live"), "\(back.output)")
            // A rollback has the configuration that it had: today's is something to deploy.
            #expect(try await server.kinto("rollback", "hello", "1").status == 0)
            #expect(
                try await server.kinto("deploy", "hello", "--ref", before).output.contains(
                    "Release 7 is live"))
        }
    }

    @Test func whatIsLiveInSeveralEnvironmentsIsNamed() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "main")
            try await server.push("first")
            try await server.git("push", "-q", "\(server.home)/repos/hello.git", ":main")
            let push = try await server.git("push", "\(server.home)/repos/hello.git", "HEAD:main")
            for target in ["hello/production", "hello/staging"] {
                #expect(
                    push.output.contains(
                        "release 1 of \(target) is live with this commit and configuration already; nothing"),
                    "\(push.output)")
            }
        }
    }

    /// Of a remote repository the commit is known after the fetch, or by the webhook that names it.
    @Test func whatIsLiveOfARemoteRepositoryIsNotDeployedAgain() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "first")
            try await server.git("clone", "-q", "--bare", server.work, "\(server.root)/remote.git")
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            let added =
                try await server.json(
                    "service", "add", "hello", "--repo", "file://\(server.root)/remote.git", "--json")
                as? [String: Any]
            let secret = (added?["webhook"] as? [String: Any])?["secret"] as? String ?? ""
            #expect(try await server.kinto("deploy", "hello").output.contains("Release 1 is live"))
            let again = try await server.kinto("deploy", "hello")
            #expect(again.status == 0, "\(again.output)")
            #expect(
                again.output.contains(
                    "release 1 is live with this commit and configuration already"), "\(again.output)")
            #expect(try await outcome(server) == ["deployed", "superseded by 1"])
            let commit = String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            let told = try await server.deliver(commit, to: "hello", id: "one", secret: secret)
            #expect(told.status == 200)
            #expect(told.body["release"] as? Int == 1)
            #expect((told.body["ignored"] as? String)?.contains("is live with this commit") == true)
            #expect(try await server.releases("hello").count == 2)
            // What is new is deployed, and what is asked for in so many words.
            #expect(try await server.kinto("deploy", "hello", "--force").output.contains("Release 3 is live"))
            try server.write("note", "2")
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "second")
            try await server.git("push", "-q", "\(server.root)/remote.git", "HEAD:main")
            #expect(try await server.kinto("deploy", "hello").output.contains("Release 4 is live"))
            #expect(
                try await outcome(server) == ["deployed", "superseded by 1", "deployed", "deployed"])
            #expect(try await server.body().contains("release=4 "))
        }
    }

    /// Scenario 38: triggers while deploys are paused, and of what is not there.
    @Test func whatCannotBeDeployedIsRefusedClearly() async throws {
        try await Server.with { server in
            try await server.setUp()
            let early = try await server.kinto("deploy", "hello")
            #expect(early.status == 3)
            #expect(early.output.contains("the repository has no branch 'main' yet"), "\(early.output)")
            try await server.push("first")
            for (name, status, text) in [
                ("nosuch", Int32(3), "the repository has no 'nosuch'"),
                (String(repeating: "1", count: 40), 3, "the repository has no"),
                ("--upload-pack=x", 2, "Usage:"),
            ] {
                let refused = try await server.kinto("deploy", "hello", "--ref", name)
                #expect(refused.status == status, "\(refused.output)")
                #expect(refused.output.contains(text), "\(refused.output)")
            }
            #expect(try await server.kinto("deploy", "nosuch").status == 3)
            #expect(try await server.kinto("suspend", "hello").status == 0)
            // It is stopped, so there is something to do: the deploy starts it again.
            let paused = try await server.kinto("deploy", "hello")
            #expect(paused.output.contains("Release 2 is live"), "\(paused.output)")
            #expect(try await server.body().contains("release=2 "))
        }
    }

    /// Scenario 38: the second has nothing to do, whoever asks for it.
    @Test func twoDeploysByHandAtOnceAreOne() async throws {
        try await Server.with { server in
            try await server.setUp()
            try server.write("kinto.json", Self.settings(server))
            let first = try await push(server, 1)
            let deploys = try await withThrowingTaskGroup(of: Int32.self) { group in
                for _ in 0..<2 { group.addTask { try await server.kinto("deploy", "hello").status } }
                try await server.until { try await server.releases("hello").count == 3 }
                try await server.shell("touch \(server.root)/go")
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(try await first.value.status == 0)
            // One of them was replaced by the other, which found it live.
            #expect(Set(deploys) == [0, 5])
            #expect(try await outcome(server) == ["deployed", "superseded by 3", "superseded by 1"])
            #expect(try await server.body().contains("release=1 "))
        }
    }

    @Test func theSameTreeIsBuiltOnce() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"date +%s.%N > built"}}"#
            )
            try await server.push("first")
            let reused = try await server.push("the same files")
            #expect(
                reused.output.contains("Taking the artifact of release 1: same tree and build settings"),
                "\(reused.output)")
            #expect(reused.output.contains("Release 2 is live"))
            let releases = try await server.releases("hello")
            let sums = releases.compactMap { ($0["artifact"] as? [String: Any])?["sha256"] as? String }
            #expect(sums.count == 2 && sums[0] == sums[1])
            #expect((releases[0]["timings"] as? [String: Any])?["build"] == nil)
            // What a build sees decides: configuration, files, its own settings.
            #expect(try await server.kinto("config", "hello", "set", "GREETING=hi").status == 0)
            #expect(try await !server.push("other configuration").output.contains("Taking the artifact"))
            #expect(
                try await server.push("the same again").output.contains("Taking the artifact of release 4"))
            #expect(
                try await !server.kinto("deploy", "hello", "--no-cache").output.contains(
                    "Taking the artifact"))
            try server.write("note", "changed")
            #expect(try await !server.push("other files").output.contains("Taking the artifact"))
            // One that is not as it was stored is built anew.
            let tree = "\(server.home)/artifacts/hello.production.7/tree"
            try await server.shell("chmod u+w \(tree)/server.py && echo >> \(tree)/server.py")
            let rebuilt = try await server.push("damaged")
            #expect(
                rebuilt.output.contains("The artifact of release 7 cannot be taken, so this is built"),
                "\(rebuilt.output)")
            #expect(rebuilt.output.contains("Release 8 is live"))
            // Shared by several releases, and gone with the service.
            #expect(try await server.kinto("rollback", "hello", "2").status == 0)
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(server.home)/artifacts").isEmpty)
        }
    }

    @Test func aRollbackWaitsForNoBuildAndOneThatWaitsSaysSo() async throws {
        try await Server.with(["--builds", "1"]) { server in
            try await server.setUp()
            try await server.push("first")
            try server.write("note", "2")
            try await server.push("second")
            // Somebody else's build has the only slot.
            try await server.kinto("service", "add", "other")
            try server.write("kinto.json", Self.settings(server))
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "slow")
            let slow = Task { try await server.git("push", "\(server.home)/repos/other.git", "HEAD:main") }
            try await server.until {
                try await server.releases("other").first?["stage"] as? String == "build"
            }
            #expect(try await server.kinto("rollback", "hello").output.contains("Release 3 is live"))
            #expect(try await server.kinto("config", "hello", "set", "GREETING=hi").status == 0)
            let waiting = try await push(server, 5)
            try await server.until {
                let status = try await server.json("status", "hello", "--json") as? [String: Any]
                let service = (status?["services"] as? [[String: Any]])?.first
                return (service?["waiting"] as? String)?.hasPrefix(
                    "release 5 waits for a build slot (1 of 1 taken by other/production/1)") == true
            }
            #expect(try await server.kinto("abort", "hello").status == 0)
            #expect(
                try await waiting.value.output.contains("Waiting for a build slot (1 of 1 taken by other"))
            try await server.shell("touch \(server.root)/go")
            #expect(try await slow.value.output.contains("Release 1 is live"))
            #expect(try await server.kinto("serve", "--builds", "0").status == 2)
        }
    }
}
