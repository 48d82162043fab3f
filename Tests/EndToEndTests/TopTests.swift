// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import Wire

struct TopTests {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"processes":{"worker":{"command":"sleep 1000000"}},"rollout":{"warm":"0s","watch":"0s","stop":{"grace":"5s"}}}"#

    /// The last that a terminal was told, before the process was over.
    private static let leave = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l\nrestored\n"

    @Test func aScreenThatFollowsADeployAndGoesAway() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.push("first \u{202E}\u{1B}]0;title\u{7}日本語")
            let told = try await server.kinto("releases", "hello").output
            #expect(told.contains(#"first \u{202E}\u{1B}]0;title\u{07}日本語"#), "\(told)")
            let go = "\(server.root)/go"
            let pushing = Task {
                try await server.until {
                    FileManager.default.fileExists(atPath: "\(server.root)/drawn")
                }
                try server.write(
                    "kinto.json",
                    Self.settings.replacingOccurrences(
                        of: #"{"start""#,
                        with: #"{"build":{"command":"while [ ! -e \#(go) ]; do sleep 0.05; done"},"start""#))
                return try await server.push("second")
            }
            let seen = try await Terminal.play(
                server, ["top", "--home", server.home],
                [
                    "expect SERVICE", "expect hello", "expect Live", "expect web 1, worker 1",
                    "expect 日本語", "touch \(server.root)/drawn",
                    "expect -----> hello/production 2  build for", "expect Deploying", "expect second",
                    // Its log, as it grows.
                    "send \\r", "expect hello/production release 2", "absent SERVICE", "touch \(go)",
                    "expect Release 2 is live", "expect (its end)", "send q",
                    "expect SERVICE", "absent ----->", "expect Live",
                    "send s", "expect sort: requests", "send /nosuch", "absent Live", "send \\x1b",
                    "expect Live", "size 8 40", "expect SERVICE", "expect …", "send \\x1b[B\\x1b[A", "send q",
                ])
            #expect(seen.status == 0, "\(seen.output)")
            #expect(seen.output.hasSuffix(Self.leave), "\(seen.output.suffix(300))")
            #expect(!seen.output.contains("\u{202E}") && !seen.output.contains("\u{1B}]"))
            let widest = seen.output.split(separator: "\u{1B}").map(\.count).max() ?? 0
            #expect(widest < 60, "\(widest)")
            #expect(try await pushing.value.status == 0)
        }
    }

    @Test func howeverItEndsTheTerminalIsAsItWas() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.push("first")
            for (step, status): (String, Int32) in [
                ("kill 15", 143), ("kill 2", 130), ("kill 1", 129), ("send \\x03", 130),
            ] {
                let seen = try await Terminal.play(
                    server, ["top", "--home", server.home], ["expect SERVICE", step])
                #expect(seen.status == status, "\(step)")
                #expect(seen.output.hasSuffix(Self.leave), "\(step): \(seen.output.suffix(300))")
            }
            // Without a server it says so and never takes the screen; when the server goes away, it is told and waited for.
            let away = try await Terminal.play(server, ["top", "--home", "\(server.root)/nowhere"], [])
            #expect(away.status == 69 && !away.output.contains("\u{1B}"), "\(away.output)")
            let going = Task {
                try await server.until {
                    FileManager.default.fileExists(atPath: "\(server.root)/drawn")
                }
                server.end(with: SIGTERM)
                try await server.until { FileManager.default.fileExists(atPath: "\(server.root)/told") }
                try await server.serve()
            }
            let waited = try await Terminal.play(
                server, ["top", "--home", server.home],
                [
                    "expect Live", "touch \(server.root)/drawn", "expect what is shown is not of now",
                    "touch \(server.root)/told", "absent not of now", "expect Live", "send q",
                ])
            try await going.value
            #expect(waited.status == 0 && waited.output.hasSuffix(Self.leave), "\(waited.output)")
        }
    }

    @Test func itIsSuspendedAsAShellWantsAndEndsWithItsToken() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.push("first")
            let job = "set -m; \(server.bin)/kinto top --home \(server.home); echo status-$?; read x; fg"
            let seen = try await Terminal.play(
                server, ["-c", job],
                [
                    "expect Live", "send \\x1a", "expect status-148", "send \\r", "expect Live", "send q",
                ], program: "/bin/bash")
            #expect(seen.status == 0 && seen.output.hasSuffix(Self.leave), "\(seen.output.suffix(500))")

            let made =
                try await server.json("token", "add", "look", "--role", "viewer", "--json") as? [String: Any]
            let removing = Task {
                try await server.until {
                    FileManager.default.fileExists(atPath: "\(server.root)/drawn")
                }
                try await server.kinto("token", "remove", "look")
            }
            let refused = try await Terminal.play(
                server, ["top"], ["expect Live", "touch \(server.root)/drawn"],
                more: [
                    "KINTO_URL=http://127.0.0.1:\(server.listen)",
                    "KINTO_TOKEN=\(made?["token"] as? String ?? "")",
                ])
            _ = try await removing.value
            #expect(refused.status == 3 && refused.output.hasSuffix("\nrestored\n"), "\(refused.output)")
            let end = refused.output.components(separatedBy: "\u{1B}[?1049l").last ?? ""
            #expect(end.contains(" !     ") && !end.contains("SERVICE"), "\(end)")
        }
    }

    @Test func aSnapshotAndItsJSON() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.push("first")
            let text = try await server.kinto("top")
            #expect(text.status == 0)
            let lines = text.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(lines.first?.first == "kinto" && text.output.contains("0 deploying, 0 queued"))
            let row = lines.first { $0.first == "hello" } ?? []
            #expect(row.prefix(4) == ["hello", "production", "Live", "1"], "\(text.output)")
            #expect(text.output.contains("web 1, worker 1") && !text.output.contains("\u{1B}"))

            // A viewer elsewhere, and requests.
            let made =
                try await server.json("token", "add", "look", "--role", "viewer", "--json") as? [String: Any]
            let remote = [
                "KINTO_URL=http://127.0.0.1:\(server.listen)",
                "KINTO_TOKEN=\(made?["token"] as? String ?? "")",
            ]
            func look(_ words: String...) async throws -> [String: Any] {
                let seen = try await server.run(
                    "\(server.bin)/kinto", ["top", "--json"] + words, more: remote)
                return try JSONSerialization.jsonObject(with: Data(seen.output.utf8)) as? [String: Any] ?? [:]
            }
            var place: [String: Any] = [:]
            try await server.until {
                for _ in 0..<20 { _ = try await server.get() }
                place = (try await look()["services"] as? [[String: Any]])?.first ?? [:]
                return place["requests"] as? Double ?? 0 > 0 && place["memory"] as? Int ?? 0 > 0
            }
            #expect(place["errors"] as? Double == 0 && place["p99"] as? Double ?? 0 > 0, "\(place)")
            #expect(place["memory"] as? Int ?? 0 > 1 << 20, "\(place)")
            let processes = place["processes"] as? [[String: Any]] ?? []
            #expect(processes.map { $0["type"] as? String } == ["web", "worker"], "\(place)")
            #expect(processes.allSatisfy { $0["running"] as? Int == 1 && $0["restarts"] as? Int == 0 })
            #expect((place["live"] as? [String: Any])?["subject"] as? String == "first")
            let none = try await look("-e", "staging")
            #expect((none["services"] as? [Any])?.isEmpty == true && none["version"] is String)
            #expect(
                try await server.run("\(server.bin)/kinto", ["top", "--every", "10ms"]).status == 2)
            let refused = try await server.run(
                "\(server.bin)/kinto", ["top"], more: [remote[0], "KINTO_TOKEN=wrong"])
            #expect(refused.status == 3 && refused.output.hasPrefix(" !     "), "\(refused.output)")
        }
    }
}
