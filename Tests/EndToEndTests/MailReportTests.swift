// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Reports by mail, taken by a real mail server.
@Suite(.timeLimit(.minutes(20)))
struct MailReportTests {
    private func failing(_ server: Server, _ text: String = "fails") async throws {
        try server.write("kinto.json", #"{"start":"echo the reason; exit 7","probe":{"deadline":"5s"}}"#)
        try await server.push(text)
    }

    private func working(_ server: Server, _ text: String) async throws {
        try server.write(
            "kinto.json", #"{"start":"python3 server.py","rollout":{"watch":"0s","warm":"0s","drain":"1s"}}"#)
        try server.write("server.py", Server.application + "\n# \(text)")
        try await server.push(text)
    }

    private func reports(_ server: Server) async throws -> [[String: Any]] {
        try await server.json("report", "list", "--json") as? [[String: Any]] ?? []
    }

    private func problem(_ server: Server, _ index: Int = 0) async throws -> String {
        let list = try await reports(server)
        return list.count > index ? list[index]["problem"] as? String ?? "" : ""
    }

    @Test(arguments: [MailServer.Kind.starttls, .smtps])
    func aFailureAndTheRecoveryArriveAsMails(_ kind: MailServer.Kind) async throws {
        try await Server.with(["--public-url", "https://kinto.example.com/"]) { server in
            try await server.setUp(#"{"start":"python3 server.py"}"#)
            let mail = try await MailServer(server, "mail", kind)
            let secret = "\(server.root)/password"
            try (mail.password + "\n").write(toFile: secret, atomically: true, encoding: .utf8)
            let added = try await server.kinto(
                "report", "add", "mail", "--url", mail.url, "--from", "kinto@example.com",
                "--to", "ops@example.com", "--to", "dev@example.com", "--user", "kinto", "--secret-from",
                secret, "--ca-from",
                mail.authorities)
            #expect(added.status == 0, "\(added.output)")
            try await working(server, "first")
            // git keeps a carriage return in a subject, and kinto shows it; the rest is no header of a mail.
            try await failing(server, "Grüße, 世界\rBcc: thief@example.com =?utf-8?B?eA==?=")
            try await server.until { mail.mails().count == 1 }
            try await failing(server, "fails again")
            try await working(server, "mended")
            try await server.until { mail.mails().count == 2 }
            let mails = mail.mails()
            for one in mails {
                #expect(one.isTLS && one.user == "kinto")
                #expect(one.sender == "kinto@example.com")
                #expect(one.recipients == ["ops@example.com", "dev@example.com"])
                #expect(one.defects.isEmpty, "\(one.defects)")
                #expect(
                    one.headers.map { $0[0] } == [
                        "Date", "From", "To", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version",
                        "Content-Type", "Content-Transfer-Encoding",
                    ])
                #expect(one.header("To") == "ops@example.com, dev@example.com")
                #expect(one.header("Auto-Submitted") == "auto-generated")
                #expect(one.raw.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 998 })
                #expect(!one.raw.contains(mail.password))
            }
            #expect(mails[0].header("Message-ID") != mails[1].header("Message-ID"))
            let subject = try #require(mails[0].header("Subject"))
            #expect(subject.hasPrefix("hello/production: release 2 failed ("), "\(subject)")
            #expect(subject.contains("Grüße, 世界\\rBcc: thief@example.com =?utf-8?B?eA==?="), "\(subject)")
            let body = mails[0].body
            for text in [
                "Release 2 of hello/production failed at", "Branch:   main", "  | ",
                "kinto logs hello --console --release 2", "kinto why hello 2",
                "https://kinto.example.com/services/hello/production/releases/2",
            ] { #expect(body.contains(text), "\(text) in \(body)") }
            let failure = try await server.releases("hello").first { $0["number"] as? Int == 2 }?["failure"]
            let code = try #require((failure as? [String: Any])?["code"] as? String)
            let message = try #require((failure as? [String: Any])?["message"] as? String)
            #expect(body.contains("Cause:    \(message) (\(code))"), "\(body)")
            #expect(mails[1].header("Subject")?.contains("release 4 is live again") == true)
            // The password is nowhere that it can be read.
            #expect(!(try await server.kinto("report", "list", "--json").output.contains(mail.password)))
            let files = try await server.run("/usr/bin/grep", ["-rlsF", mail.password, server.home])
            #expect(files.output.isEmpty, "\(files.output)")
            await mail.end()
        }
    }

    @Test func aMailWhoseEndIsNotKnownComesAgainWithTheSameIdentifier() async throws {
        try await Server.with { server in
            try await server.setUp(#"{"start":"python3 server.py"}"#)
            let mail = try await MailServer(server, "mail", .plain)
            try mail.answer("hold")
            #expect(
                try await server.kinto(
                    "report", "add", "mail", "hello", "--url", mail.url, "--from", "kinto@example.com",
                    "--to",
                    "ops@example.com"
                ).status == 0)
            try await failing(server)
            try await server.until { mail.mails().count == 1 }
            // It took the mail, and did not say so yet.
            server.end(with: SIGKILL)
            try mail.answer("ok")
            try await server.serve()
            try await server.until { mail.mails().count == 2 }
            let mails = mail.mails()
            #expect(mails[0].raw == mails[1].raw)
            #expect(mails[0].header("Message-ID")?.hasSuffix("@example.com>") == true)
            #expect(!mails[0].isTLS)
            try await server.until {
                let list = try await reports(server)
                return list.first?["waiting"] as? Int == 0
            }
            #expect(mail.mails().count == 2)
            await mail.end()
        }
    }

    @Test func whatAMailServerRefusesIsTriedAgainOrTold() async throws {
        try await Server.with { server in
            try await server.setUp(#"{"start":"python3 server.py"}"#)
            let (later, never) = (
                try await MailServer(server, "later", .plain), try await MailServer(server, "never", .plain)
            )
            let (secure, open) = (
                try await MailServer(server, "secure", .starttls),
                try await MailServer(server, "open", .plain)
            )
            try later.answer("451 4.3.0 not now")
            try never.answer("554 5.7.1 not from you")
            try server.write("password", "a wrong one")
            func add(_ words: String...) async throws {
                let added = try await server.run(
                    "\(server.bin)/kinto",
                    ["report", "add", "mail", "--from", "kinto@example.com", "--home", server.home] + words)
                #expect(added.status == 0, "\(added.output)")
            }
            try await add("--to", "ops@example.com", "--url", later.url)
            try await add("--to", "ops@example.com", "--url", never.url)
            // A wrong password; a certificate that nobody known signed; a server without TLS where it is wanted.
            try await add(
                "--to", "ops@example.com", "--url", secure.url, "--user", "kinto", "--secret-from",
                "\(server.work)/password", "--ca-from", secure.authorities)
            try await add("--to", "ops@example.com", "--url", secure.url, "--ca-from", never.authorities)
            try await add("--to", "ops@example.com", "--url", open.url, "--ca-from", secure.authorities)
            // One of several is not known there: the others get it.
            try await add("--to", "nobody@example.com", "--to", "ops@example.com", "--url", open.url)
            // One of several is to come back for: nobody gets it twice meanwhile.
            try await add("--to", "later@example.com", "--to", "dev@example.com", "--url", open.url)
            try await failing(server)
            for (index, text) in [
                "451 4.3.0 not now",
                "given up: release hello/production/1 (failed): the mail server answered: 554",
                "535", "certificate", "no TLS", "nobody@example.com was refused: 550 5.1.1",
                "later@example.com was refused: 451",
            ].enumerated() {
                try await server.until {
                    let said = try await problem(server, index)
                    return said.contains(text)
                }
            }
            #expect(open.mails().map(\.recipients) == [["ops@example.com"]])
            try later.answer("ok")
            try await server.until { later.mails().last?.answer == "ok" }
            #expect(Set(later.mails().map(\.raw)).count == 1)
            #expect(never.mails().count == 1)
            #expect(secure.mails().isEmpty)
            for one in [later, never, secure, open] { await one.end() }
        }
    }

    @Test func aMailThatCannotBeSentIsRefusedWhenItIsAdded() async throws {
        try await Server.with { server in
            try await server.setUp(#"{"start":"python3 server.py"}"#)
            try server.write("secret", "word")
            let good = ["--url", "smtp://localhost", "--from", "a@example.com", "--to", "b@example.com"]
            for (words, status) in [
                (["--url", "smtp://localhost"], 2),
                (["--url", "http://localhost", "--from", "a@example.com", "--to", "b@example.com"], 2),
                (["--url", "smtp://user:word@host", "--from", "a@example.com", "--to", "b@example.com"], 2),
                (["--url", "smtp://host/x", "--from", "a@example.com", "--to", "b@example.com"], 2),
                (
                    [
                        "--url", "smtp://host", "--from", "a@example.com\r\nBcc: c@example.com", "--to",
                        "b@example.com",
                    ], 2
                ),
                (["--url", "smtp://host", "--from", "a@example.com", "--to", "b@example.com> SIZE=1"], 2),
                (["--url", "smtps://host", "--from", "a@x", "--to", "b@x", "--plaintext"], 2),
                (good + ["--user", "kinto"], 2), (good + ["--secret-from", "\(server.work)/secret"], 2),
                (good, 0),
            ] {
                let answer = try await server.run(
                    "\(server.bin)/kinto", ["report", "add", "mail", "--home", server.home] + words)
                #expect((answer.status == 0) == (status == 0), "\(words): \(answer.output)")
            }
        }
    }
}
