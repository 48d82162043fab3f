// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import HTTPClient
import TestSupport
import Testing

/// Environments that pull requests get: signed deliveries of a forge, its repository over https, and its statuses.
@Suite(.timeLimit(.minutes(5)))
struct PullRequestTests {
    private static let settings = #"""
        {"start":"python3 server.py","probe":{"path":"/"},"env":{"GREETING":"base"},
         "rollout":{"drain":"1s","warm":"0s","watch":"0s","stop":{"grace":"5s"}},
         "environments":{"preview":{"env":{"GREETING":"previewed"}}}}
        """#

    struct Forge {
        let server: Server
        let secret: String

        func tell(
            _ action: String, _ commit: String, of number: Int = 7, branch: String = "feature/x",
            from repository: (id: Int, name: String),
            id: String
        ) async throws -> (status: Int, text: String) {
            let body = """
                {"action":"\(action)","number":\(number),"pull_request":{"number":\(number),
                 "head":{"ref":"\(branch)","sha":"\(commit)","repo":{"id":\(repository.id),"full_name":"\(repository.name)"}},
                 "base":{"ref":"main","repo":{"id":1,"full_name":"team/app"}}}}
                """
            return try await post("pull_request", body, id)
        }

        func push(_ commit: String, to reference: String = "refs/heads/feature/x", id: String) async throws
            -> (status: Int, text: String)
        {
            try await post("push", #"{"ref":"\#(reference)","after":"\#(commit)"}"#, id)
        }

        private func post(_ event: String, _ body: String, _ id: String) async throws -> (
            status: Int, text: String
        ) {
            let digest = HMAC<SHA256>.authenticationCode(
                for: Data(body.utf8), using: SymmetricKey(data: Data(secret.utf8))
            ).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            let answer = try await HTTPClient.send(
                .init(
                    "POST", url: "http://127.0.0.1:\(server.listen)/hooks/hello",
                    headers: [
                        "Content-Type: application/json", "X-GitHub-Event: \(event)",
                        "X-GitHub-Delivery: \(id)", "X-Hub-Signature-256: sha256=\(digest)",
                    ], body: Array(body.utf8), timeout: 60_000))
            return (answer.status, String(decoding: answer.body, as: UTF8.self))
        }
    }

    @Test func onePreviewFromItsOpeningToItsEnd() async throws {
        try await Server.with(["--public-url", "https://kinto.example.com", "--domain", "apps.example.com"]) {
            server in
            try await server.setUp(Self.settings)
            try await server.commit("first")
            try await server.kinto("service", "remove", "hello", "--yes")
            let remote = "\(server.root)/git/team/app.git"
            try await server.git("clone", "-q", "--bare", server.work, remote)
            let https = try HTTPSGitServer("\(server.root)/https", root: "\(server.root)/git")
            defer { https.stop() }
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
            let statuses = try await Receiver(server, "forge")
            #expect(
                try await server.kinto(
                    "report", "add", "status", "hello", "--url", "http://127.0.0.1:\(statuses.port)",
                    "--secret-from", "\(server.work)/token"
                ).status == 0)
            let forge = Forge(server: server, secret: secret)
            let (own, fork) = ((1, "team/app"), (2, "mallory/app"))
            func push() async throws -> String {
                try await server.git("push", "-q", remote, "HEAD:feature/x")
                return String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            }
            func environments() async throws -> [String] {
                let list =
                    try await server.json("environment", "list", "hello", "--json") as? [[String: Any]] ?? []
                return list.compactMap { $0["environment"] as? String }.sorted()
            }
            func isLive(_ number: Int) async throws -> Bool {
                let newest = try await server.releases("hello", "preview-feature-x").first
                return newest?["number"] as? Int == number && newest?["live"] as? Bool == true
            }

            // Nobody asked for previews of pull requests yet.
            let first = try await push()
            let early = try await forge.tell("opened", first, from: own, id: "1")
            #expect(early.status == 200)
            #expect(
                early.text.contains(
                    "pull request 7 deploys nothing: hello has no previews (kinto service set hello --preview pull-requests)"
                ), "\(early.text)")
            let set = try await server.kinto("service", "set", "hello", "--preview", "pull-requests")
            #expect(
                set.output.contains("pull requests get a preview each, at most 10, until they are closed"),
                "\(set.output)")

            // A stranger's has the name of a branch that is there.
            let strange = try await forge.tell("opened", first, of: 8, from: fork, id: "2")
            #expect(strange.status == 200 && strange.text.contains("is from a fork (mallory/app)"))
            #expect(try await environments() == ["production"])

            // What was told too early is decided once more.
            let opened = try await server.kinto("deliveries", "hello", "replay", "1")
            #expect(opened.output.contains("hello/preview-feature-x"), "\(opened.output)")
            try await server.until { try await isLive(1) }
            #expect(try await server.text("hello--preview-feature-x.localhost").hasSuffix(" previewed"))
            #expect(try await server.releases("hello").isEmpty)

            // Not built before it may be.
            try server.write(
                "kinto.json",
                Self.settings.replacing(
                    #"{"start":"#,
                    with:
                        #"{"build":{"command":"while [ ! -e \#(server.root)/go ]; do sleep 0.05; done"},"start":"#
                ))
            try await server.commit("second")
            let second = try await push()
            // A forge tells of it twice.
            #expect(try await forge.push(second, id: "push").status == 202)
            let twice = try await forge.tell("synchronize", second, from: own, id: "3")
            #expect(twice.status == 200)
            #expect(twice.text.contains("release 2 of this commit is on its way"), "\(twice.text)")
            try server.touch("go")
            try await server.until { try await isLive(2) }
            try await server.until {
                try await server.text("hello--preview-feature-x.localhost").hasPrefix("release=2 ")
            }
            let again = try await forge.tell("reopened", second, from: own, id: "4")
            #expect(again.text.contains("release 2 is live with this commit"), "\(again.text)")

            // The link is at the commit, by a status of the preview's own.
            for commit in [first, second] {
                try await server.until {
                    statuses.seen().contains { one in
                        one.path == "/repos/team/app/statuses/\(commit)"
                            && one.fields["context"] as? String == "kinto/hello/preview-feature-x"
                            && one.fields["state"] as? String == "success"
                            && one.fields["target_url"] as? String
                                == "http://hello--preview-feature-x.apps.example.com:\(server.proxy)/"
                    }
                }
            }

            // What is live already is deployed by hand: no trouble at the forge.
            try await server.kinto("deploy", "hello", "-e", "preview-feature-x")
            try await server.until {
                let last = statuses.seen().last { $0.path.hasSuffix(second) }?.fields
                return last?["description"] as? String == "release 2 is live with this commit"
                    && last?["state"] as? String == "success"
            }

            // A stranger's end ends nobody else's.
            #expect(try await forge.tell("closed", second, of: 8, from: fork, id: "5").status == 200)
            #expect(try await environments() == ["preview-feature-x", "production"])
            let closed = try await forge.tell("closed", second, from: own, id: "6")
            #expect(closed.status == 200)
            #expect(
                closed.text.contains(
                    "pull request 7 was closed: its preview hello/preview-feature-x ends"),
                "\(closed.text)")
            try await server.until { try await environments() == ["production"] }
            #expect(try await server.get(host: "hello--preview-feature-x.localhost").status == 404)
            #expect(try await server.releases("hello").isEmpty)
            let told = try await server.kinto("deliveries", "hello").output
            #expect(
                told.contains(
                    "ignored: pull request 8 is from a fork (mallory/app): its code would run with this server's rights; to allow: kinto service set hello --preview-forks on"
                ), "\(told)")
            await statuses.end()
        }
    }
}
