// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Environments that branches get, by real pushes and deliveries.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct PreviewTests {
    private static let settings = #"""
        {"start":"python3 server.py","probe":{"path":"/"},"env":{"GREETING":"base"},
         "rollout":{"drain":"1s","warm":"0s","watch":"0s","stop":{"grace":"5s"}},
         "environments":{"preview":{"env":{"GREETING":"previewed"}}}}
        """#

    private func environments(_ server: Server) async throws -> [String] {
        let list = try await server.json("environment", "list", "hello", "--json") as? [[String: Any]] ?? []
        return list.compactMap { $0["environment"] as? String }.sorted()
    }

    @Test func aPushedBranchGetsOneUntilItIsDeleted() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto("config", "hello", "set", "PLAIN=1")
            try await server.kinto("config", "hello", "set", "--secret", "TOKEN=very-secret-value")
            let set = try await server.kinto(
                "service", "set", "hello", "--preview", "feature/*", "--preview-for", "2h", "--preview-most",
                "1")
            #expect(
                set.output.contains("branches 'feature/*' get a preview each, at most 1"), "\(set.output)")
            #expect(set.output.contains("but no secrets"))
            try await server.commit("first")
            let push = try await server.pushTo("HEAD:main", "HEAD:feature/login")
            #expect(
                push.output.contains("hello/preview-feature-login is the preview of branch 'feature/login'"),
                "\(push.output)")
            #expect(push.output.contains("kinto: release 1 of hello/production"))
            #expect(
                push.output.contains(
                    "Release 1 is live at http://hello--preview-feature-login.localhost:"), "\(push.output)")
            #expect(try await server.text("hello.localhost").hasSuffix(" base"))
            #expect(
                try await server.text("hello--preview-feature-login.localhost").hasSuffix(" previewed"))
            // Production's variables, and none of its secrets.
            let config = try await server.kinto("config", "hello", "-e", "preview-feature-login")
            #expect(config.output.contains("PLAIN") && !config.output.contains("TOKEN"), "\(config.output)")
            let list = try await server.kinto("environment", "list", "hello")
            #expect(list.output.contains("preview until 20"), "\(list.output)")

            // Another push of it is its next release; another branch finds no room.
            try await server.commit("second")
            let next = try await server.pushTo("HEAD:feature/login", "HEAD:feature/other")
            #expect(next.output.contains("kinto: release 2 of hello/preview-feature-login"), "\(next.output)")
            #expect(
                next.output.contains("branch 'feature/other' gets no preview: hello has 1 already"),
                "\(next.output)")
            #expect(try await environments(server) == ["preview-feature-login", "production"])

            let gone = try await server.pushTo(":feature/login")
            #expect(
                gone.output.contains(
                    "branch 'feature/login' was deleted: its preview hello/preview-feature-login ends"),
                "\(gone.output)")
            try await server.until { try await environments(server) == ["production"] }
            try await server.until {
                !FileManager.default.fileExists(
                    atPath: "\(server.home)/services/hello/preview-feature-login")
            }
            #expect(try await server.get(host: "hello--preview-feature-login.localhost").status == 404)
            #expect(try await server.text("hello.localhost").hasSuffix(" base"))
            // Now there is room; and a rule that is taken back leaves those that are there.
            #expect(
                try await server.pushTo("HEAD:feature/again").output.contains(
                    "release 1 of hello/preview-feature-again"))
            let off = try await server.kinto("service", "set", "hello", "--preview", "off")
            #expect(off.output.contains("no previews any more"), "\(off.output)")
            try await server.commit("third")
            let late = try await server.pushTo("HEAD:feature/again", "HEAD:feature/late")
            #expect(late.output.contains("release 2 of hello/preview-feature-again"), "\(late.output)")
            #expect(try await environments(server) == ["preview-feature-again", "production"])
        }
    }

    @Test func itsTimeEndsAlsoWhileTheServerIsAway() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto("environment", "add", "hello", "staging")
            try await server.kinto("config", "hello", "-e", "staging", "set", "--secret", "TOKEN=of-staging")
            #expect(
                try await server.kinto(
                    "service", "set", "hello", "--preview", "feature/*", "--preview-config", "staging"
                ).status == 0)
            try await server.commit("first")
            #expect(
                try await server.pushTo("HEAD:feature/a").output.contains("is live at http://hello--preview"))
            let config = try await server.kinto("config", "hello", "-e", "preview-feature-a")
            #expect(config.output.contains("TOKEN"), "\(config.output)")
            server.end(with: SIGKILL)
            try await server.shell(
                """
                python3 -c "import sqlite3
                c = sqlite3.connect('\(server.home)/kinto.db')
                c.execute('UPDATE environment SET previewUntil = 1 WHERE previewUntil IS NOT NULL')
                c.commit()"
                """)
            try await server.serve()
            try await server.until { try await environments(server) == ["production", "staging"] }
        }
    }

    @Test func deliveriesOpenAndEndThem() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto("service", "set", "hello", "--preview", "feature/*")
            try await server.commit("first")
            // There before the delivery: the hook is told to deploy nothing.
            try await server.git(
                "push", "-q", "-o", "skip", "\(server.home)/repos/hello.git", "HEAD:refs/heads/feature/x")
            #expect(try await environments(server) == ["production"])
            let commit = String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            let none = String(repeating: "0", count: 40)
            let secret = server.webhookSecret
            let made = try await server.deliver(
                commit, to: "hello", id: "1", secret: secret, reference: "refs/heads/feature/x")
            #expect(made.status == 202, "\(made.body)")
            try await server.until {
                try await server.releases("hello", "preview-feature-x").first?["live"] as? Bool == true
            }
            let gone = try await server.deliver(
                none, to: "hello", id: "2", secret: secret, reference: "refs/heads/feature/x")
            #expect(gone.status == 200, "\(gone.body)")
            #expect("\(gone.body)".contains("its preview hello/preview-feature-x ends"), "\(gone.body)")
            try await server.until { try await environments(server) == ["production"] }
        }
    }
}
