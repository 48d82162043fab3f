// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// A service goes to another machine in a file.
@Suite(.timeLimit(.minutes(20)))
struct ServiceFileTests {
    private func prepare(_ server: Server) async throws {
        try await server.setUp()
        try await server.kinto("environment", "add", "hello", "staging", "--branch", "next", "--protect")
        try await server.kinto("service", "set", "hello", "--queue", "every", "--missed", "warn")
        let set = try await server.kinto(
            "service", "set", "hello", "--preview", "pull-requests", "--preview-most", "3", "--preview-for",
            "2d", "--preview-config", "staging", "--preview-forks", "on")
        #expect(set.status == 0 && set.output.contains("or 2d after the last push"), "\(set.output)")
        try await server.kinto("config", "hello", "set", "GREETING=good morning")
        try await server.kinto("config", "hello", "set", "-e", "staging", "--secret", "TOKEN=s3cret words")
        try "correct horse battery".write(toFile: "\(server.root)/phrase", atomically: true, encoding: .utf8)
    }

    private func export(_ server: Server, _ words: [String]) async throws -> String {
        let made = try await server.run(
            "/bin/sh",
            [
                "-c",
                "exec \"$0\" service export hello --home '\(server.home)' \"$@\" > '\(server.root)/hello.json'",
                "\(server.bin)/kinto",
            ]
                + words)
        #expect(made.status == 0, "\(made.output)")
        return try String(contentsOfFile: "\(server.root)/hello.json", encoding: .utf8)
    }

    @Test func withSecretsToAnotherServer() async throws {
        try await Server.with { server in
            try await prepare(server)
            let text = try await export(
                server, ["--with-secrets", "--passphrase-from", "\(server.root)/phrase"])
            #expect(!text.contains("s3cret") && !text.contains(server.webhookSecret))
            #expect(text.contains("good morning") && text.contains("scrypt"))
            let file = "\(server.root)/hello.json"
            try "another phrase".write(toFile: "\(server.root)/wrong", atomically: true, encoding: .utf8)
            try await Server.with { other in
                let wrong = try await other.kinto(
                    "service", "import", file, "--passphrase-from", "\(server.root)/wrong")
                #expect(wrong.status == 3 && wrong.output.contains("do not open"), "\(wrong.output)")
                // They are those of this service, by this name.
                try text.replacing(#""name" : "hello""#, with: #""name" : "mallory""#).write(
                    toFile: "\(other.root)/changed.json", atomically: true, encoding: .utf8)
                let changed = try await other.kinto(
                    "service", "import", "\(other.root)/changed.json", "--passphrase-from",
                    "\(server.root)/phrase")
                #expect(changed.status == 3, "\(changed.output)")
                #expect((try await other.json("service", "list", "--json") as? [Any])?.isEmpty == true)
                let imported = try await other.kinto(
                    "service", "import", file, "--passphrase-from", "\(server.root)/phrase")
                #expect(imported.status == 0, "\(imported.output)")
                #expect(imported.output.contains("git remote add kinto \(other.home)/repos/hello.git"))
                #expect(!imported.output.contains(" !     "))
                let again = try await other.kinto(
                    "service", "import", file, "--passphrase-from", "\(server.root)/phrase")
                #expect(again.status == 3 && again.output.contains("there is a service 'hello' already"))
                for words in [
                    ["config", "hello", "export", "--reveal"],
                    ["config", "hello", "export", "--reveal", "-e", "staging"],
                    ["environment", "list", "hello", "--json"],
                ] {
                    let (here, there) = (
                        try await server.run("\(server.bin)/kinto", words + ["--home", server.home]),
                        try await other.run("\(server.bin)/kinto", words + ["--home", other.home])
                    )
                    #expect(
                        here.output.replacing("\(server.proxy)", with: "P")
                            == there.output.replacing("\(other.proxy)", with: "P"))
                }
                let shown = try await other.json("service", "show", "hello") as? [[String: Any]]
                #expect(
                    shown?.first?["queue"] as? String == "every"
                        && shown?.first?["missed"] as? String == "warn")
                let previews = shown?.first?["previews"] as? [String: Any]
                #expect(previews?["pattern"] as? String == "pull-requests", "\(shown ?? [])")
                #expect(previews?["most"] as? Int == 3 && previews?["lifetime"] as? Int == 2 * 86_400_000)
                #expect(previews?["config"] as? String == "staging" && previews?["forks"] as? Bool == true)
                // It is deployed there, and forges sign as before.
                let pushed = try await server.git("add", "-A")
                #expect(pushed.status == 0)
                try await server.git("commit", "-q", "-m", "first")
                let live = try await server.git("push", "\(other.home)/repos/hello.git", "HEAD:main")
                #expect(live.output.contains("is live"), "\(live.output)")
                #expect(try await other.text("hello.localhost").hasSuffix("good morning"))
                let commit = String(try await server.git("rev-parse", "HEAD").output.prefix(40))
                let delivered = try await other.deliver(
                    commit, to: "hello", id: "1", secret: server.webhookSecret)
                #expect(delivered.status == 200, "\(delivered.body)")
            }
        }
    }

    @Test func withoutSecretsOnlyTheirNames() async throws {
        try await Server.with { server in
            try await prepare(server)
            let text = try await export(server, [])
            #expect(
                text.contains("\"TOKEN\"") && !text.contains("s3cret") && !text.contains(server.webhookSecret)
            )
            let imported = try await server.kinto(
                "service", "import", "\(server.root)/hello.json", "--name", "copy")
            #expect(imported.status == 0, "\(imported.output)")
            #expect(
                imported.output.contains("kinto config copy set -e staging --secret TOKEN"),
                "\(imported.output)")
            let short = text.replacing(#""value" : "good morning""#, with: #""value" : "short""#).replacing(
                #""secret" : false"#, with: #""secret" : true"#)
            try short.write(toFile: "\(server.root)/short.json", atomically: true, encoding: .utf8)
            let guessed = try await server.kinto(
                "service", "import", "\(server.root)/short.json", "--name", "guessed")
            #expect(
                guessed.status == 2 && guessed.output.contains("the secret GREETING has fewer than 6 bytes"),
                "\(guessed.output)")
            for (words, status) in [
                (["service", "export", "nobody"], Int32(3)),
                (["service", "export", "hello", "--with-secrets", "--passphrase-from", "/dev/null"], 2),
                (["service", "export", "hello", "--passphrase-from", "\(server.root)/phrase"], 2),
                (["service", "import", "\(server.work)/kinto.json"], 2),
                (["service", "import", "/nowhere"], 2),
            ] {
                let refused = try await server.run("\(server.bin)/kinto", words + ["--home", server.home])
                #expect(refused.status == status, "\(words): \(refused.output)")
            }
            let token = try String(contentsOfFile: "\(server.home)/token", encoding: .utf8)
            let remote = try await server.run(
                "\(server.bin)/kinto",
                [
                    "service", "export", "hello", "--with-secrets", "--passphrase-from",
                    "\(server.root)/phrase",
                ],
                more: [
                    "KINTO_URL=http://127.0.0.1:\(server.listen)",
                    "KINTO_TOKEN=\(token.trimmingCharacters(in: .whitespacesAndNewlines))",
                ])
            #expect(
                remote.status == 3 && remote.output.contains("only on the server itself"), "\(remote.output)")
        }
    }

    /// Typed at a terminal, which script(1) makes.
    @Test func aRemovalWantsTheNameTyped() async throws {
        try await Server.with { server in
            try await server.setUp()
            let plain = try await server.kinto("service", "remove", "hello")
            #expect(plain.status == 2 && plain.output.contains("add --yes"), "\(plain.output)")
            for (typed, status) in [("hell", Int32(3)), ("hello", 0)] {
                let words = "'\(server.bin)/kinto' service remove hello --home '\(server.home)'"
                let done = try await server.run(
                    "/bin/sh", ["-c", "printf '\(typed)\\n' | script -qec \"\(words)\" /dev/null"])
                #expect(done.status == status, "\(done.output)")
                #expect(done.output.contains("Type hello to go on"), "\(done.output)")
            }
            #expect(try await server.kinto("service", "show", "hello").status == 3)
        }
    }
}
