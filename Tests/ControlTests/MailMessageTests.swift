// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Control

/// What a mail looks like to somebody else's reader: Python's.
struct MailMessageTests {
    private struct Read: Decodable {
        let headers: [[String]]
        let body: String
        let defects: [String]
        let longest: Int
    }

    private func read(_ bytes: [UInt8]) async throws -> Read {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/mail"
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let script = """
                import email, email.policy, json, sys
                raw = open(sys.argv[1], "rb").read()
                m = email.message_from_bytes(raw, policy=email.policy.default)
                assert b"\\n" not in raw.replace(b"\\r\\n", b"") and b"\\r" not in raw.replace(b"\\r\\n", b"")
                print(json.dumps({"headers": [[k, str(v)] for k, v in m.items()], "body": m.get_content().replace("\\r\\n", "\\n"),
                    "defects": [repr(d) for d in m.defects + [x for v in m.values() for x in v.defects]],
                    "longest": max(map(len, raw.split(b"\\r\\n")))}))
                """
            let output = await onThread { () -> Data in
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
                process.arguments = ["-c", script, path]
                let pipe = Pipe()
                process.standardOutput = pipe
                guard (try? process.run()) != nil else { return Data() }
                let data = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                return data
            }
            return try JSONDecoder().decode(Read.self, from: output)
        }
    }

    private func message(_ subject: String, _ body: String) -> MailMessage {
        MailMessage(
            from: "kinto@example.com", to: ["a@example.com", "b@example.com"],
            identifier: "kinto-1@example.com",
            date: Timestamp(milliseconds: 1_764_112_664_000), subject: subject, body: body)
    }

    @Test(arguments: [
        "short", "Grüße an die Welt", String(repeating: "日本語 👩‍👩‍👧 ", count: 40), "=?utf-8?B?eA==?=",
        String(repeating: "long words of ASCII ", count: 20) + "end",
        "a: b; c <d@e> \"f\" (g), \\ h",
    ])
    func aSubjectIsReadAsItWasWritten(_ subject: String) async throws {
        let seen = try await read(message(subject, "text\n").bytes)
        #expect(seen.headers.first { $0[0] == "Subject" }?[1] == subject.trimmingCharacters(in: .whitespaces))
        #expect(seen.defects.isEmpty, "\(seen.defects)")
        #expect(seen.longest <= 900)
        #expect(seen.headers.first { $0[0] == "Date" }?[1] == "Tue, 25 Nov 2025 23:17:44 +0000")
    }

    @Test(arguments: [
        "x\r\nBcc: thief@example.com", "x\nBcc: thief@example.com", "x\r\n\r\nanother body",
        "x\rBcc: thief@example.com",
        "x\u{2028}Bcc: thief@example.com\u{85}To: y", "ü\r\n\r\n.\r\nMAIL FROM:<x>",
        "x\0y\u{1B}[31m\u{202E}z",
    ])
    func nothingInASubjectAddsAHeader(_ subject: String) async throws {
        let seen = try await read(message(subject, "body: \(subject)\n.\nQUIT\n").bytes)
        #expect(
            seen.headers.map { $0[0] } == [
                "Date", "From", "To", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version",
                "Content-Type",
                "Content-Transfer-Encoding",
            ])
        #expect(seen.headers.first { $0[0] == "To" }?[1] == "a@example.com, b@example.com")
        #expect(seen.body.contains("\n.\nQUIT\n"))
        let scalars = seen.headers.flatMap { $0[1].unicodeScalars }
        #expect(!scalars.contains { $0.properties.generalCategory == .control })
    }

    @Test(arguments: [
        "plain\n.dot\n\nFrom x\n  trailing  \n", "Grüße\n👍\n", String(repeating: "x", count: 5000) + "\n",
    ])
    func aBodyIsReadAsItWasWritten(_ body: String) async throws {
        let seen = try await read(message("s", body).bytes)
        // The end of the last line is the message's.
        #expect(seen.body.trimmingCharacters(in: .newlines) == body.trimmingCharacters(in: .newlines))
        #expect(seen.longest <= 900)
    }

    @Test func anAddressIsWhatCanStandInACommand() {
        for good in ["a@b", "first.last+tag@sub.example.com", "o'neil@example.com"] {
            #expect(MailSettings.isAddress(good), "\(good)")
        }
        for bad in [
            "", "a", "a@", "@b", "a@b@c", "a b@c", "a@b.", ".a@b", "a..b@c", "<a@b>", "\"a\"@b",
            "a@b\r\nRCPT", "ü@b",
            "a@ü.de", "a@[127.0.0.1]", String(repeating: "a", count: 65) + "@b",
        ] { #expect(!MailSettings.isAddress(bad), "\(bad)") }
        for good in ["smtp://h", "smtps://mail.example.com:465", "smtp://[::1]:25", "SMTP://127.0.0.1"] {
            #expect(MailServerAddress(good) != nil, "\(good)")
        }
        for bad in [
            "", "smtp://", "smtp://h/", "smtp://u@h", "smtp://u:p@h", "smtp://h?x", "smtp://h#x", "smtp://h:",
            "smtp://h:0",
            "smtp://h:65536", "smtp://h:+1", "http://h", "smtp://h h", "smtp://h\r\n", "smtp://[::1",
            "smtp://[x]",
        ] { #expect(MailServerAddress(bad) == nil, "\(bad)") }
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1"] { #expect(MailSettings.isLoopback(host)) }
        for host in ["127.0.0.1.example.com", "127.example.com", "localhost.example.com", "10.0.0.1"] {
            #expect(!MailSettings.isLoopback(host))
        }
    }
}
