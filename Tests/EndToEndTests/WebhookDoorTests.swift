// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import HTTPClient
import TestSupport
import Testing

/// The webhook door over sockets: every forge, the secrets' change, refusals, the inbox.
@Suite(.timeLimit(.minutes(20)))
struct WebhookDoorTests {
    @Test func theProviderIsTheOperatorsAndCanBeChanged() async throws {
        try await Server.with { server in
            let hook = try await Hook(server, "--provider", "gitlab")
            let body =
                #"{"object_kind":"push","ref":"refs/heads/main","checkout_sha":"\#(hook.commit)","after":"\#(hook.commit)"}"#
            let gitlab = [
                "X-Gitlab-Event: Push Hook", "X-Gitlab-Token: \(hook.secret)", "Idempotency-Key: one",
            ]
            let github = ["X-GitHub-Event: push", "X-Hub-Signature-256: sha256=\(hook.digest(body))"]
            #expect(try await hook.post(github, body).status == 401)
            #expect(try await hook.post(gitlab, body).status == 202)
            let again = try await hook.post(gitlab, body)
            #expect(again.status == 200)
            #expect(
                (again.body["ignored"] as? String)?.contains("received before: queued as release 1") == true)
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
            #expect(try await server.kinto("service", "set", "hello", "--provider", "github").status == 0)
            #expect(try await hook.post(gitlab, body).status == 401)
            let live = try await hook.post(github, body)
            #expect(live.status == 200)
            #expect((live.body["ignored"] as? String)?.contains("is live with this commit") == true)
            // The operator is told what the senders are not.
            for (sender, provider) in [("GitHub", "gitlab"), ("GitLab", "github")] {
                try await hook.until(
                    "refused: the secret is right, but it was sent by \(sender) and the service's provider is \(provider)"
                )
            }
            #expect(try await server.kinto("service", "set", "hello", "--provider", "svn").status == 2)
            #expect(try await server.kinto("service", "set", "hello").status == 2)
        }
    }

    /// Scenario 40.
    @Test func bothSecretsSignUntilTheOverlapIsOver() async throws {
        try await Server.with { server in
            let hook = try await Hook(server, "--provider", "github")
            func status(_ secret: String, id: String) async throws -> Int {
                let body = #"{"ref":"refs/heads/else","after":"\#(hook.commit)"}"#
                return try await hook.post(
                    [
                        "X-GitHub-Event: push", "X-GitHub-Delivery: \(id)",
                        "X-Hub-Signature-256: sha256=\(hook.digest(body, secret))",
                    ], body
                ).status
            }
            let first = hook.secret
            let rotated =
                try await server.json("service", "rotate-secret", "hello", "--json") as? [String: Any]
            let second = try #require(rotated?["secret"] as? String)
            #expect(second != first)
            #expect(try await status(first, id: "1") == 200)
            #expect(try await status(second, id: "2") == 200)
            let shown = try await server.kinto("service", "show", "hello").output
            #expect(shown.contains("previousSecretUntil"))
            #expect(!shown.contains(first) && !shown.contains(second))
            // Given by the operator, and the one before is known to others: it ends now.
            try server.write("secret", "whsec_dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=\n")
            let third = try await server.kinto(
                "service", "rotate-secret", "hello", "--overlap", "0s", "--secret-from",
                "\(server.work)/secret")
            #expect(third.status == 0, "\(third.output)")
            #expect(try await status("whsec_dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=", id: "3") == 200)
            #expect(try await status(second, id: "4") == 401)
            #expect(try await status(first, id: "5") == 401)
            try await hook.until("the secret before the present one, which ended at")
            try server.write("secret", "short")
            let refused = try await server.kinto(
                "service", "rotate-secret", "hello", "--secret-from", "\(server.work)/secret")
            #expect(refused.status != 0)
            #expect(refused.output.contains("16 to 256"))
        }
    }

    private func asked(_ server: Server) async throws -> String {
        try await server.run(
            "/usr/bin/curl",
            ["-s", "-D", "-", "-o", "/dev/null", "-d", "{}", "http://127.0.0.1:\(server.listen)/hooks/hello"]
        ).output
    }

    @Test func refusalsAreCountedLimitedAndNeverDelayGoodOnes() async throws {
        try await Server.with { server in
            let hook = try await Hook(server, "--provider", "github")
            let body = #"{"ref":"refs/heads/else","after":"\#(hook.commit)"}"#
            let began = ContinuousClock.now
            // Many at once: one after the other they might come as slowly as they are allowed.
            func wrong() async throws -> Int {
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 0..<150 {
                        group.addTask {
                            try await hook.post(
                                [
                                    "X-GitHub-Event: push",
                                    "X-Hub-Signature-256: sha256=\(hook.digest(body, "wrong"))",
                                ], body, to: number % 2 == 0 ? "hello" : "nosuch"
                            ).status
                        }
                    }
                    var limited = 0
                    for try await status in group {
                        #expect([401, 429].contains(status))
                        if status == 429 { limited += 1 }
                    }
                    return limited
                }
            }
            try await server.until { try await wrong() > 0 }
            // One is let in again each second: on a busy machine the next may be that one.
            var told = try await asked(server)
            try await server.until {
                if told.contains("429") { return true }
                _ = try await wrong()
                told = try await asked(server)
                return told.contains("429")
            }
            #expect(told.lowercased().contains("retry-after: "), "\(told)")
            let good = try await hook.post(
                ["X-GitHub-Event: push", "X-Hub-Signature-256: sha256=\(hook.digest(body))"], body)
            #expect(good.status == 200)
            var kept: [[String: Any]] = []
            try await server.until {
                kept = try await server.json("deliveries", "-n", "1000", "--json") as? [[String: Any]] ?? []
                return kept.contains {
                    $0["service"] as? String == "nosuch"
                        && ($0["verdict"] as? String) == "refused: there is no service of that name"
                }
            }
            let refused = kept.count { ($0["status"] as? Int) == 401 }
            // Of each of both names twenty at once, and one each ten seconds.
            let most = 40 + 2 * Int((ContinuousClock.now - began) / .seconds(10) + 1)
            #expect(refused <= most, "\(refused)")
            #expect(!"\(kept)".contains(hook.secret))
        }
    }

    /// Scenario 38, for deliveries: decided once more by today's settings.
    @Test func aDeliveryIsReplayed() async throws {
        try await Server.with { server in
            let hook = try await Hook(server, "--provider", "forgejo", "--branch", "release")
            let body = #"{"ref":"refs/heads/release","after":"\#(hook.commit)"}"#
            func deliver(_ body: String, _ id: String) async throws -> Int {
                try await hook.post(
                    [
                        "X-Forgejo-Event: push", "X-Forgejo-Delivery: \(id)",
                        "X-Forgejo-Signature: \(hook.digest(body))",
                    ], body
                ).status
            }
            // The branch is not there yet: its release fails.
            #expect(try await deliver(body, "a/b") == 202)
            try await server.until {
                try await server.releases("hello").first?["status"] as? String == "failed"
            }
            try await server.git("push", "-q", "\(server.root)/remote.git", "HEAD:release")
            let replay = try await server.kinto("deliveries", "hello", "replay", "a/b")
            #expect(
                replay.status == 0 && replay.output.contains("Release 2 of hello/production is queued"),
                "\(replay.output)")
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
            let live = try await server.kinto("deliveries", "hello", "replay", "a/b")
            #expect(live.output.contains("release 2 is live with this commit"), "\(live.output)")
            #expect(try await server.kinto("deliveries", "hello", "replay", "nosuch").status == 3)
            #expect(try await deliver("{}", "ping") == 400)
            try await hook.until("refused: the payload has no 'ref'")
            let list = try await server.kinto("deliveries", "hello").output
            #expect(list.contains("queued as release 1") && list.contains("forgejo"), "\(list)")
            #expect(list.contains("refused: the payload has no 'ref'"), "\(list)")
        }
    }

    @Test func whatIsNotJSONOrTooLongIsRefusedByStatus() async throws {
        try await Server.with { server in
            let hook = try await Hook(server, "--provider", "github")
            func sign(_ body: String) -> [String] {
                ["X-GitHub-Event: push", "X-Hub-Signature-256: sha256=\(hook.digest(body))"]
            }
            let answer = try await HTTPClient.send(
                .init(
                    "POST", url: "http://127.0.0.1:\(server.listen)/hooks/hello",
                    headers: ["Content-Type: text/plain"] + sign("{}"), body: Array("{}".utf8),
                    timeout: 60_000))
            #expect(answer.status == 415)
            #expect(try await hook.post(sign("[]"), "[]").status == 400)
            // Scenario 27: GitHub's largest delivery is taken, a longer one refused before it is read.
            let filler = String(repeating: "x", count: (25 << 20) - 200)
            let large = #"{"ref":"refs/heads/else","after":"\#(hook.commit)","filler":"\#(filler)"}"#
            #expect(try await hook.post(sign(large), large).status == 200)
            let refused = try await server.run(
                "/usr/bin/curl",
                [
                    "-s", "-o", "/dev/null", "-w", "%{http_code} %{size_upload}", "-X", "POST", "-H",
                    "Content-Length: 28311552", "-H", "Expect:", "--data-binary", "x",
                    "http://127.0.0.1:\(server.listen)/hooks/hello", "--max-time", "180",
                ])
            #expect(refused.output.hasPrefix("413"), "\(refused.output)")
            for method in ["GET", "PUT", "DELETE"] {
                let other = try await HTTPClient.send(
                    .init(method, url: "http://127.0.0.1:\(server.listen)/hooks/hello", timeout: 60_000))
                #expect([404, 405].contains(other.status), "\(method): \(other.status)")
            }
        }
    }
}
