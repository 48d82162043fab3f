// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

/// A server whose wall clock is set while it runs: `Tests/Shim/clock.c` shows it another one than the machine's. What is due
/// by an injected clock is in `CronSchedulerTests`.
@Suite(.timeLimit(.minutes(5)))
struct CronClockTests {
    /// The clock of one server.
    private struct Shim {
        let directory: String
        var environment: [String] {
            ["LD_PRELOAD=\(directory)/clock.so", "KINTO_CLOCK=\(directory)/clock"]
        }

        init(in root: String) { directory = "\(root)/shim" }

        func build(_ server: Server) async throws {
            try Files.makeDirectories(directory)
            let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("Shim/clock.c").path
            let built = try await server.run(
                "/bin/sh",
                [
                    "-c",
                    "$(command -v clang || echo cc) -shared -fPIC -O1 -o \(directory)/clock.so \(source) -ldl -lpthread",
                ])
            guard built.status == 0 else { throw Trouble("the shim cannot be built: \(built.output)") }
            try Files.replace("\(directory)/clock", with: [UInt8](repeating: 0, count: 4096))
        }

        /// Has it show a moment now.
        func set(_ time: Timestamp) throws {
            let offset = time.milliseconds - Timestamp.now.milliseconds
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: "\(directory)/clock"))
            try file.write(contentsOf: withUnsafeBytes(of: offset.littleEndian) { Data($0) })
            try file.close()
        }

        /// How often the scheduler went to sleep.
        func armed() throws -> UInt64 {
            try Files.read("\(directory)/clock")[8..<16].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    private func history(_ server: Server) async throws -> [[String: Any]] {
        try await server.json("cron", "hello", "history", "tick", "--json") as? [[String: Any]] ?? []
    }

    /// Whether the schedule has begun: from then on what is due is run or missed.
    private func isCounted(_ server: Server) async throws -> Bool {
        try await server.run(
            "/usr/bin/env",
            [
                "python3", "-c",
                "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM schedule').fetchone())",
                "\(server.home)/kinto.db",
            ]
        ).output == "1\n"
    }

    @Test func itIsSetForwardAndBack() async throws {
        try await Server.with(
            prepare: { try await Shim(in: $0.root).build($0) }, environment: { Shim(in: $0.root).environment }
        ) { server in
            let clock = Shim(in: server.root)
            // Half an hour before a full one.
            let hour: Int64 = 3_600_000
            let first = Timestamp(milliseconds: (Timestamp.now.milliseconds / hour + 2) * hour)
            func after(_ hours: Int64, _ minutes: Int64) -> Timestamp {
                Timestamp(milliseconds: first.milliseconds + hours * hour + minutes * 60_000)
            }
            /// Sets it, and waits until the server has seen to that.
            func set(_ time: Timestamp) async throws {
                let before = try clock.armed()
                try clock.set(time)
                try await server.until { try clock.armed() > before }
            }
            try await set(after(-1, 30))
            try await server.setUp(
                #"""
                {"start":"python3 server.py","probe":{"path":"/"},"rollout":{"watch":"0s","warm":"0s"},
                 "processes":{"tick":{"command":"true","schedule":"0 * * * *"}}}
                """#)
            try await server.push("first")
            let next = try await server.json("cron", "hello", "--json") as? [[String: Any]] ?? []
            #expect(next.first?["next"] as? String == first.rfc3339, "\(next)")
            try await server.until { try await self.isCounted(server) }
            #expect(try await history(server).isEmpty)

            // Over a moment that is due, by a minute: it is run, once.
            try await set(after(0, 1))
            try await server.until { try await history(server).first?["state"] as? String == "succeeded" }
            var runs = try await history(server)
            #expect(runs.map { $0["due"] as? String } == [first.rfc3339])

            // Over three, the last of them half an hour ago: they are told, and not run.
            try await set(after(3, 31))
            try await server.until { try await history(server).count == 2 }
            runs = try await history(server)
            #expect(runs[0]["state"] as? String == "missed" && runs[0]["count"] as? Int == 3, "\(runs)")
            #expect(runs[0]["due"] as? String == after(1, 0).rfc3339)
            #expect(runs[0]["until"] as? String == after(3, 0).rfc3339)

            // Two hours back, and over two that were: nothing is due again, nor when it is where it was.
            try await set(after(1, 31))
            try await set(after(2, 1))
            try await set(after(3, 32))
            #expect(try await history(server).count == 2)
            // Then it goes on.
            try await set(after(4, 1))
            try await server.until { try await history(server).first?["state"] as? String == "succeeded" }
            runs = try await history(server)
            #expect(runs.count == 3 && runs[0]["due"] as? String == after(4, 0).rfc3339, "\(runs)")

            // A day back: it was wrong before, and goes on from here.
            try await set(after(-20, 1))
            try await server.until {
                let log = try String(contentsOfFile: "\(server.root)/serve.log", encoding: .utf8)
                return log.contains("the clock was set back: schedules go on from what it shows now")
            }
            try await set(after(-19, 1))
            try await server.until { try await history(server).count == 4 }
            try await server.until { try await history(server).first?["state"] as? String == "succeeded" }
            #expect(try await history(server).first?["due"] as? String == after(-19, 0).rfc3339)
        }
    }
}
