// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import TestSupport
import Testing

/// What forges and people are told, by real receivers on loopback.
@Suite(.timeLimit(.minutes(20)))
struct ReportTests {
    private func failing(_ server: Server) async throws {
        try server.write("kinto.json", #"{"start":"exit 7","probe":{"deadline":"5s"}}"#)
        try await server.push("fails")
    }

    private func working(_ server: Server, _ text: String) async throws {
        try server.write(
            "kinto.json", #"{"start":"python3 server.py","rollout":{"watch":"0s","warm":"0s","drain":"1s"}}"#)
        try server.write("server.py", Server.application + "\n# \(text)")
        try await server.push(text)
    }

    @Test func peopleAreToldOfTheFirstFailureAndOfTheRecovery() async throws {
        try await Server.with(["--public-url", "https://kinto.example.com/"]) { server in
            try await server.setUp(#"{"start":"python3 server.py"}"#)
            let (webhook, slack) = (
                try await Receiver(server, "webhook"), try await Receiver(server, "slack")
            )
            let secret = "whsec_" + Data("a secret of some length".utf8).base64EncodedString()
            try server.write("secret", secret)
            #expect(
                try await server.kinto(
                    "report", "add", "webhook", "--url", "http://127.0.0.1:\(webhook.port)/in",
                    "--secret-from",
                    "\(server.work)/secret"
                ).status == 0)
            #expect(
                try await server.kinto(
                    "report", "add", "slack", "hello", "--url", "http://127.0.0.1:\(slack.port)/x"
                ).status == 0)
            // One that never answers delays nobody.
            let hanging = try await Receiver(server, "hanging")
            try hanging.answer("hang")
            try await server.kinto("report", "add", "slack", "--url", "http://127.0.0.1:\(hanging.port)/")
            try await working(server, "first")
            try await failing(server)
            try await server.until { slack.seen().count == 1 && webhook.seen().count == 1 }
            // Another failure is no news. The receiver of the recovery is away for a while: it comes when it is back.
            try webhook.answer("503")
            try await failing(server)
            try await working(server, "mended")
            try await server.until { slack.seen().count == 2 }
            try await server.until {
                let list = try await server.json("report", "list", "--json") as? [[String: Any]]
                return (list?.first?["problem"] as? String)?.contains("answered 503") == true
            }
            try webhook.answer("201")
            _ = server.stop()
            try await server.serve()
            try await server.until { webhook.seen().count == 2 }
            let texts = slack.seen().map { $0.fields["text"] as? String ?? "" }
            #expect(texts[0].hasPrefix("hello/production: release 2"), "\(texts)")
            #expect(texts[0].contains("failed: "), "\(texts)")
            #expect(
                texts[0].hasSuffix("https://kinto.example.com/services/hello/production/releases/2"),
                "\(texts)")
            #expect(texts[1].contains("release 4") && texts[1].contains("is live again"), "\(texts)")
            let types = webhook.seen().map { $0.fields["type"] as? String }
            #expect(types == ["release.failed", "release.recovered"])
            for one in webhook.seen() {
                let signed =
                    "\(one.headers["webhook-id"] ?? "").\(one.headers["webhook-timestamp"] ?? "").\(one.body)"
                let code = HMAC<SHA256>.authenticationCode(
                    for: Data(signed.utf8), using: SymmetricKey(data: Data("a secret of some length".utf8)))
                #expect(one.headers["webhook-signature"] == "v1,\(Data(code).base64EncodedString())")
            }
            #expect(!(try await server.kinto("report", "list").output.contains(secret)))
            #expect(try await server.kinto("report", "remove", "1").status == 0)
            #expect(try await server.kinto("report", "remove", "1").status == 3)
            for one in [webhook, slack, hanging] { await one.end() }
        }
    }

    /// What it asks for holds for all that it would be told, and nothing is lost meanwhile.
    @Test func aPlaceThatWantsToRestIsLeftAlone() async throws {
        try await Server.with { server in
            try await server.setUp(#"{"start":"python3 server.py"}"#)
            let (busy, other) = (try await Receiver(server, "busy"), try await Receiver(server, "other"))
            for one in [busy, other] {
                try await server.kinto("report", "add", "slack", "--url", "http://127.0.0.1:\(one.port)/")
            }
            try busy.answer("429 6")
            try await working(server, "first")
            try await failing(server)
            try await server.until { !busy.asked().isEmpty && other.seen().count == 1 }
            try busy.answer("201")
            // More news, and for the other one at once.
            try await working(server, "mended")
            try await failing(server)
            try await server.until { other.seen().count == 3 }
            try await server.until { busy.seen().count == 3 }
            let times = busy.asked().map(\.at)
            #expect(times[1] - times[0] >= 6, "\(times)")
            #expect(busy.seen().map(\.body) == other.seen().map(\.body))
            for one in [busy, other] { await one.end() }
        }
    }

    @Test(arguments: [
        "github", "gitlab", "forgejo", "bitbucket", "bitbucket-server", "bitbucket-server before 7.14",
    ])
    func aForgeKeepsTheCommitsStatus(forge kind: String) async throws {
        let provider = String(kind.prefix { $0 != " " })
        try await Server.with { server in
            try await server.setUp(#"{"start":"python3 server.py"}"#)
            try await working(server, "first")
            try await server.kinto("service", "remove", "hello", "--yes")
            let forge = try await Receiver(server, "forge")
            if kind != provider { try forge.answer("older") }
            // An address of a forge that is fetched from here: the mirror stands in the place where it would be.
            #expect(
                try await server.kinto(
                    "service", "add", "hello", "--repo", "https://localhost:1/team/some.repo.git",
                    "--provider", provider
                ).status == 0)
            try server.write("token", "a-token")
            #expect(
                try await server.kinto(
                    "report", "add", "status", "hello", "--url", "http://127.0.0.1:\(forge.port)/api",
                    "--secret-from",
                    "\(server.work)/token"
                ).status == 0)
            let commit = try await server.git("rev-parse", "HEAD").output.trimmingCharacters(
                in: .whitespacesAndNewlines)
            // Nobody listens there, so the release fails; the forge is told by its API all the same.
            #expect(try await server.kinto("deploy", "hello", "--ref", commit).status != 0)
            try await server.until { forge.seen().contains { $0.body.lowercased().contains("fail") } }
            let last = try #require(forge.seen().last)
            let wanted: (path: String, header: String, value: String, state: String) =
                switch provider {
                case "github":
                    (
                        "/api/repos/team/some.repo/statuses/\(commit)", "authorization", "Bearer a-token",
                        "failure"
                    )
                case "gitlab":
                    (
                        "/api/projects/team%2Fsome.repo/statuses/\(commit)", "private-token", "a-token",
                        "failed"
                    )
                case "forgejo":
                    (
                        "/api/repos/team/some.repo/statuses/\(commit)", "authorization", "token a-token",
                        "failure"
                    )
                case "bitbucket":
                    (
                        "/api/repositories/team/some.repo/commit/\(commit)/statuses/build", "authorization",
                        "Bearer a-token", "FAILED"
                    )
                default:
                    (
                        kind == provider
                            ? "/api/rest/api/latest/projects/team/repos/some.repo/commits/\(commit)/builds"
                            : "/api/rest/build-status/1.0/commits/\(commit)", "authorization",
                        "Bearer a-token", "FAILED"
                    )
                }
            #expect(last.path == wanted.path)
            #expect(last.headers[wanted.header] == wanted.value)
            #expect(last.fields["state"] as? String == wanted.state)
            await forge.end()
        }
    }

    @Test func whatCannotBeReportedIsRefused() async throws {
        try await Server.with { server in
            try await server.setUp(#"{"start":"python3 server.py"}"#)
            for words in [
                ["status", "hello"], ["webhook"], ["slack", "--url", "ftp://x/"],
                ["webhook", "nosuch", "--url", "http://x/"],
            ] {
                let answer = try await server.run(
                    "\(server.bin)/kinto", ["report", "add"] + words + ["--home", server.home])
                #expect(answer.status != 0, "\(words)")
            }
            #expect(try await server.kinto("report", "add", "pigeon").status == 2)
        }
    }
}
