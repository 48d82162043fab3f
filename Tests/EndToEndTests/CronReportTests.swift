// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import TestSupport
import Testing

/// Scheduled runs that fail are told, by real receivers on loopback.
@Suite(.timeLimit(.minutes(5)))
struct CronReportTests {
    private let settings = #"""
        {"start":"python3 server.py","rollout":{"watch":"0s","warm":"0s","drain":"1s"},"processes":{
         "nightly":{"command":"exit $(cat CODE)","schedule":"@yearly"},
         "other":{"command":"exit 5","schedule":"@yearly"}}}
        """#

    @Test func theFirstFailureAndTheRecoveryAreTold() async throws {
        try await Server.with(["--public-url", "https://kinto.example.com"]) { server in
            let place = "\(server.root)/code"
            try await server.setUp(settings.replacing("CODE", with: place))
            try await server.push("first")
            let webhook = try await Receiver(server, "webhook")
            let slack = try await Receiver(server, "slack")
            let mail = try await MailServer(server, "mail", .starttls)
            try (mail.password + "\n").write(
                toFile: "\(server.root)/password", atomically: true, encoding: .utf8)
            let secret = "whsec_" + Data("a secret of some length".utf8).base64EncodedString()
            try secret.write(toFile: "\(server.root)/secret", atomically: true, encoding: .utf8)
            for words in [
                [
                    "webhook", "--url", "http://127.0.0.1:\(webhook.port)/in", "--secret-from",
                    "\(server.root)/secret",
                ],
                ["slack", "hello", "--url", "http://127.0.0.1:\(slack.port)/x"],
                [
                    "mail", "--url", mail.url, "--from", "kinto@example.com", "--to", "ops@example.com",
                    "--user", "kinto", "--secret-from", "\(server.root)/password", "--ca-from",
                    mail.authorities,
                ],
            ] {
                let added = try await server.run(
                    "\(server.bin)/kinto", ["report", "add"] + words + ["--home", server.home])
                #expect(added.status == 0, "\(added.output)")
            }
            func run(_ code: Int) async throws {
                try "\(code)\n".write(toFile: place, atomically: true, encoding: .utf8)
                #expect(try await server.kinto("cron", "hello", "run", "nightly").status == code)
            }
            for code in [0, 3, 4] { try await run(code) }
            try await server.until { webhook.seen().count == 1 && mail.mails().count == 1 }
            // Of another type it is news, and no recovery of this one.
            #expect(try await server.kinto("cron", "hello", "run", "other").status == 5)
            try await server.until { slack.seen().count == 2 && webhook.seen().count == 2 }
            // Away for a while, over the server's end: both are told, and in their order.
            try webhook.answer("503")
            for code in [0, 6, 0, 0] { try await run(code) }
            try await server.until { slack.seen().count == 5 }
            try await server.until {
                let list = try await server.json("report", "list", "--json") as? [[String: Any]]
                return (list?.first?["problem"] as? String)?.contains("answered 503") == true
            }
            server.end(with: SIGKILL)
            try webhook.answer("201")
            try await server.serve()
            try await server.until { webhook.seen().count == 5 && mail.mails().count == 5 }

            #expect(
                webhook.seen().map { $0.fields["type"] as? String } == [
                    "cron.failed", "cron.failed", "cron.recovered", "cron.failed", "cron.recovered",
                ])
            let first = try #require(webhook.seen().first)
            let data = try #require(first.fields["data"] as? [String: Any])
            #expect(data["service"] as? String == "hello" && data["environment"] as? String == "production")
            #expect(data["type"] as? String == "nightly" && data["state"] as? String == "failed")
            #expect(data["code"] as? Int == 3)
            let name = try #require(data["run"] as? String)
            let text = "hello/production: \(name) failed with code 3"
            #expect(
                first.fields["text"] as? String
                    == "\(text) https://kinto.example.com/services/hello/production/cron")
            for one in webhook.seen() {
                let signed =
                    "\(one.headers["webhook-id"] ?? "").\(one.headers["webhook-timestamp"] ?? "").\(one.body)"
                let code = HMAC<SHA256>.authenticationCode(
                    for: Data(signed.utf8), using: SymmetricKey(data: Data("a secret of some length".utf8)))
                #expect(one.headers["webhook-signature"] == "v1,\(Data(code).base64EncodedString())")
            }
            // What was tried again kept its name.
            #expect(Set(webhook.seen().map { $0.headers["webhook-id"] }).count == 5)
            let texts = slack.seen().compactMap { $0.fields["text"] as? String }
            #expect(Set(texts) == Set(webhook.seen().compactMap { $0.fields["text"] as? String }))
            #expect(texts[2].contains(" succeeded again "), "\(texts)")
            let letter = try #require(mail.mails().first)
            #expect(letter.header("Subject") == text)
            #expect(letter.body.contains("kinto cron hello logs nightly \(name)"), "\(letter.body)")
            for one in [webhook, slack] { await one.end() }
            await mail.end()
        }
    }
}
