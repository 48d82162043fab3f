// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// Previews of pull requests from forks: fetched from the service's own repository by the forge's reference, and without secrets.
@Suite(.timeLimit(.minutes(5)))
struct ForkPreviewTests {
    private static let settings = #"""
        {"start":"python3 server.py","probe":{"path":"/"},"env":{"GREETING":"base"},
         "rollout":{"drain":"1s","warm":"0s","watch":"0s","stop":{"grace":"5s"}},
         "environments":{"preview":{"env":{"GREETING":"previewed"},"hosts":["login.example.com"]}}}
        """#
    private static let fork = (2, "mallory/app")
    private static let reason =
        "pull request 8 is from a fork (mallory/app): its code would run with this server's rights; to allow: kinto service set hello --preview-forks on"

    /// A service whose repository is fetched over https.
    private static func setUp(_ server: Server) async throws -> (
        PullRequestTests.Forge, remote: String, HTTPSGitServer
    ) {
        try await server.setUp(settings)
        try await server.commit("base")
        try await server.kinto("service", "remove", "hello", "--yes")
        let remote = "\(server.root)/git/team/app.git"
        try await server.git("clone", "-q", "--bare", server.work, remote)
        let https = try HTTPSGitServer("\(server.root)/https", root: "\(server.root)/git")
        let added =
            try await server.json(
                "service", "add", "hello", "--repo", "https://localhost:\(https.port)/team/app.git",
                "--provider", "github", "--json") as? [String: Any]
        let secret = try #require((added?["webhook"] as? [String: Any])?["secret"] as? String)
        try server.write("token", https.token)
        #expect(
            try await server.kinto(
                "service", "set", "hello", "--ca-from", https.authority, "--token-from",
                "\(server.work)/token", "--username", https.user
            ).status == 0)
        return (PullRequestTests.Forge(server: server, secret: secret), remote, https)
    }

    @Test func onesThatAreAllowedRunWithoutSecrets() async throws {
        try await Server.with { server in
            let (forge, remote, https) = try await Self.setUp(server)
            defer { https.stop() }
            // The fork's are in no branch, only where the forge puts them.
            func push(_ message: String) async throws -> String {
                try await server.commit(message)
                try await server.git("push", "-q", "-f", remote, "HEAD:refs/pull/8/head")
                return String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            }
            func tell(_ action: String, _ commit: String, _ id: String) async throws -> String {
                try await forge.tell(
                    action, commit, of: 8, branch: "main", from: Self.fork, id: id
                ).text
            }
            func environments() async throws -> [String] {
                let list =
                    try await server.json("environment", "list", "hello", "--json") as? [[String: Any]] ?? []
                return list.compactMap { $0["environment"] as? String }.sorted()
            }
            func isLive(_ number: Int) async throws -> Bool {
                let newest = try await server.releases("hello", "preview-pr-8").first
                return newest?["number"] as? Int == number && newest?["live"] as? Bool == true
            }
            let all = ["preview-pr-8", "production", "staging"]

            try await server.kinto("environment", "add", "hello", "staging")
            for environment in ["production", "staging"] {
                try await server.kinto("config", "hello", "-e", environment, "set", "PLAIN=\(environment)")
                try await server.kinto(
                    "config", "hello", "-e", environment, "set", "--secret", "TOKEN=very-secret-value")
            }

            // The setting is about pull requests, and off.
            let alone = try await server.kinto("service", "set", "hello", "--preview-forks", "on")
            #expect(alone.status != 0)
            #expect(
                alone.output.contains(
                    "kinto service set hello --preview pull-requests --preview-forks on"),
                "\(alone.output)")
            try await server.kinto(
                "service", "set", "hello", "--preview", "pull-requests", "--preview-config", "staging")
            let first = try await push("first")
            let refused = try await tell("opened", first, "1")
            #expect(refused.contains(Self.reason), "\(refused)")
            #expect(try await environments() == ["production", "staging"])
            let on = try await server.kinto("service", "set", "hello", "--preview-forks", "on")
            #expect(on.output.contains("also from forks: without secrets"), "\(on.output)")
            let service = try await server.json("service", "show", "hello") as? [[String: Any]]
            #expect((service?.first?["previews"] as? [String: Any])?["forks"] as? Bool == true)

            // A push of that reference is none of the pull request, neither before nor afterwards.
            let pushed = try await forge.push(first, to: "refs/pull/8/head", id: "push-1")
            #expect(pushed.status == 200, "\(pushed.text)")
            #expect(try await environments() == ["production", "staging"])

            // What was told too early is decided once more.
            let opened = try await server.kinto("deliveries", "hello", "replay", "1")
            #expect(opened.output.contains("hello/preview-pr-8"), "\(opened.output)")
            try await server.until { try await isLive(1) }
            #expect(try await server.text("hello--preview-pr-8.localhost").hasSuffix(" previewed"))
            #expect(try await environments() == all)
            #expect(try await server.releases("hello").isEmpty)
            let config = try await server.kinto("config", "hello", "-e", "preview-pr-8")
            #expect(config.output.contains("PLAIN") && !config.output.contains("TOKEN"), "\(config.output)")
            // Nor does it take a host's name.
            #expect(try await server.get(host: "login.example.com").status == 404)

            // Nobody gives it any, nor makes it something that has some.
            for arguments in [
                ["config", "hello", "-e", "preview-pr-8", "set", "--secret", "TOKEN=very-secret-value"],
                ["environment", "set", "hello", "preview-pr-8", "--branch", "main"],
                ["promote", "hello", "preview-pr-8", "production"],
            ] {
                let refusal = try await server.run(
                    "\(server.bin)/kinto", arguments + ["--home", server.home])
                #expect(refusal.status != 0)
                #expect(
                    refusal.output.contains(
                        "hello/preview-pr-8 is the preview of pull request 8 from a fork"),
                    "\(refusal.output)")
            }
            for branch in ["refs/pull/8/head", "refs/pull/*/head"] {
                let named = try await server.kinto("environment", "add", "hello", "own", "--branch", branch)
                #expect(named.output.contains("only refs/heads/ and refs/tags/ deploy"), "\(named.output)")
            }

            // New commits, told and by hand.
            let second = try await push("second")
            let update = try await tell("synchronize", second, "2")
            #expect(update.contains("preview-pr-8"), "\(update)")
            try await server.until { try await isLive(2) }
            _ = try await push("third")
            try await server.kinto("deploy", "hello", "-e", "preview-pr-8")
            try await server.until { try await isLive(3) }
            server.end(with: SIGKILL)
            try await server.serve()
            try await server.until {
                try await server.text("hello--preview-pr-8.localhost").hasSuffix(" previewed")
            }

            // Off: what is there stays as it is.
            let off = try await server.kinto("service", "set", "hello", "--preview-forks", "off")
            #expect(!off.output.contains("forks"), "\(off.output)")
            let fourth = try await push("fourth")
            let late = try await tell("synchronize", fourth, "4")
            #expect(late.contains(Self.reason), "\(late)")
            let pushedLate = try await forge.push(fourth, to: "refs/pull/8/head", id: "push-2")
            #expect(pushedLate.status == 200, "\(pushedLate.text)")
            #expect(try await environments() == all)
            #expect(try await isLive(3))
            let closed = try await tell("closed", fourth, "5")
            #expect(
                closed.contains("pull request 8 was closed: its preview hello/preview-pr-8 ends"), "\(closed)"
            )
            try await server.until { try await environments() == ["production", "staging"] }
            #expect(try await server.get(host: "hello--preview-pr-8.localhost").status == 404)
        }
    }
    @Test func newCommitsOfWhichNoDeliveryToldAreFoundWhileTheyAreAllowed() async throws {
        try await Server.with(["--look-every", "1s"]) { server in
            let (forge, remote, https) = try await Self.setUp(server)
            defer { https.stop() }
            func push(_ message: String, to reference: String) async throws -> String {
                try await server.commit(message)
                try await server.git("push", "-q", "-f", remote, "HEAD:\(reference)")
                return String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            }
            func isLive(_ number: Int, _ environment: String) async throws -> Bool {
                let newest = try await server.releases("hello", environment).first
                return newest?["number"] as? Int == number && newest?["live"] as? Bool == true
            }
            try await server.kinto("deploy", "hello")
            try await server.kinto(
                "service", "set", "hello", "--preview", "pull-requests", "--preview-forks", "on")
            let first = try await push("first", to: "refs/pull/8/head")
            let opened = try await forge.tell("opened", first, of: 8, from: Self.fork, id: "1")
            #expect(opened.status == 202, "\(opened.text)")
            try await server.until { try await isLive(1, "preview-pr-8") }
            let second = try await push("second", to: "refs/pull/8/head")
            try await server.until { try await isLive(2, "preview-pr-8") }

            // Not any more; the service's own branch goes on being looked at, more than once.
            try await server.kinto("service", "set", "hello", "--preview-forks", "off")
            let replayed = try await server.kinto(
                "deliveries", "hello", "replay", "missed-\(second)-preview-pr-8")
            #expect(replayed.output.contains("pull request 8 is from a fork"), "\(replayed.output)")
            _ = try await push("third", to: "refs/pull/8/head")
            for number in 2...3 {
                _ = try await push("own \(number)", to: "refs/heads/main")
                try await server.until { try await isLive(number, "production") }
            }
            #expect(try await isLive(2, "preview-pr-8"))
        }
    }

    /// Where the forge's repository is on this machine, or kinto's own.
    @Test func theRepositoryMayBeHere() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.commit("first")
            try await server.kinto(
                "service", "set", "hello", "--preview", "pull-requests", "--preview-forks", "on")
            let commit = String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            let forge = PullRequestTests.Forge(server: server, secret: server.webhookSecret)
            func tell(_ action: String, _ id: String) async throws -> String {
                try await forge.tell(action, commit, of: 8, from: Self.fork, id: id).text
            }
            func push(_ message: String) async throws -> String {
                try await server.commit(message)
                return try await server.pushTo("HEAD:refs/pull/8/head").output
            }
            func newest() async throws -> (number: Int?, isLive: Bool?) {
                let newest = try await server.releases("hello", "preview-pr-8").first
                return (newest?["number"] as? Int, newest?["live"] as? Bool)
            }
            // Told before it is there: the commit is, but not by that reference.
            let early = try await tell("opened", "1")
            #expect(early.contains("preview-pr-8"), "\(early)")
            try await server.until {
                try await server.releases("hello", "preview-pr-8").first?["status"] as? String == "failed"
            }
            let why = try await server.kinto("why", "hello", "-e", "preview-pr-8")
            #expect(why.output.contains("the repository has no pull request 8"), "\(why.output)")
            // A push is not the pull request.
            let pushed = try await server.pushTo("HEAD:refs/pull/8/head").output
            #expect(pushed.contains("ignored pull request 8"), "\(pushed)")
            let opened = try await tell("reopened", "2")
            #expect(opened.contains("preview-pr-8"), "\(opened)")
            try await server.until { try await newest() == (2, true) }
            let next = try await push("second")
            #expect(next.contains("ignored pull request 8"), "\(next)")
            try await server.kinto("deploy", "hello", "-e", "preview-pr-8")
            try await server.until { try await newest() == (3, true) }
            let gone = try await server.pushTo(":refs/pull/8/head").output
            #expect(!gone.contains("ends"), "\(gone)")
            #expect(try await newest() == (3, true))
            #expect(try await tell("closed", "3").contains("its preview hello/preview-pr-8 ends"))
        }
    }
}
