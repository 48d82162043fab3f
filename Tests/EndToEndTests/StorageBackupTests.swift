// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Backup while it runs, and a home made of it.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct StorageBackupTests {
    /// Scenario 96. The backup is taken while deploys run; the first server is gone, then, with all that it started.
    @Test func aBackupTakenWhileDeploysRunServesTheSameReleasesWithoutABuild() async throws {
        let root = "/tmp/kinto-backup-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: root) }
        let builds = "\(root)/builds"
        var before: [Int: String] = [:]
        var live = 0
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"echo x >> \#(builds); seq 200 > made"}}"#
            )
            try await server.push("first")
            try await server.kinto("config", "hello", "set", "GREETING=kept")
            try Files.replace("\(server.home)/other.key", with: Array("key".utf8))
            let visitors = Visitors(server, count: 2)
            let deploys = Task {
                for number in 0..<6 { try await server.push("meanwhile \(number)") }
            }
            for number in 1...3 {
                let backup = try await server.kinto("backup", "\(root)/backup-\(number)")
                #expect(backup.status == 0, "\(backup.output)")
                #expect(backup.output.contains("secrets"), "\(backup.output)")
            }
            try await deploys.value
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
            let again = try await server.kinto("backup", "\(root)/backup-1")
            #expect(again.status == 3, "\(again.output)")
            #expect(try await server.kinto("backup", "\(server.home)/x").status == 3)

            // The last one when all is quiet, to compare with; but for a push that holds its branch at that moment.
            try Files.replace("\(server.home)/repos/hello.git/refs/heads/main.lock", with: [])
            #expect(try await server.kinto("backup", "\(root)/backup-last").status == 0)
            for release in try await server.releases("hello") {
                let number = release["number"] as? Int ?? 0
                before[number] = (release["artifact"] as? [String: Any])?["sha256"] as? String
                if release["live"] as? Bool == true { live = number }
            }
        }
        for name in ["backup-1", "backup-3", "backup-last"] {
            let built = try Files.read(builds).count
            try await Server.with { server in
                let restored = try await server.kinto("restore", "\(root)/\(name)")
                #expect(restored.status == 0, "\(restored.output)")
                #expect(!restored.output.contains(" !     "), "\(restored.output)")
                let again = try await server.kinto("restore", "\(root)/\(name)")
                #expect(again.status == 3, "\(again.output)")
            } _: { server in
                try await server.until { (try? await server.get().status) == 200 }
                let body = String(decoding: try await server.get().body, as: UTF8.self)
                #expect(body.contains("kept"), "\(body)")
                #expect(try String(contentsOfFile: "\(server.home)/other.key", encoding: .utf8) == "key")
                if name == "backup-last" {
                    #expect(body.hasPrefix("release=\(live) "), "\(body)")
                    #expect(try Files.read(builds).count == built)
                }
                // What was in progress at that moment goes on to its end.
                try await server.until {
                    try await server.releases("hello").allSatisfy {
                        !["queued", "deploying"].contains($0["status"] as? String)
                    }
                }
                for release in try await server.releases("hello")
                where release["status"] as? String == "deployed" {
                    let number = release["number"] as? Int ?? 0
                    let artifact = release["artifact"] as? [String: Any]
                    #expect(artifact?["available"] as? Bool == true)
                    #expect(artifact?["sha256"] as? String == before[number], "\(name): release \(number)")
                }
                let back = try await server.kinto("rollback", "hello", "1")
                #expect(back.status == 0, "\(back.output)")
                // Its own hooks take pushes.
                try await server.git("clone", "-q", "\(server.home)/repos/hello.git", "\(server.root)/clone")
                let push = try await server.run(
                    "/bin/sh",
                    [
                        "-c",
                        "cd \(server.root)/clone && git -c user.name=t -c user.email=t@x commit -q --allow-empty -m restored && git push -q origin HEAD:main",
                    ])
                #expect(push.output.contains("is live"), "\(push.output)")
            }
        }
    }

    @Test func halfABackupIsNotRestored() async throws {
        try await TemporaryDirectory.with { directory in
            try Files.makeDirectories("\(directory)/half")
            try Files.replace("\(directory)/half/kinto.db", with: [])
            let tried = try await Server.command([
                "restore", "\(directory)/half", "--home", "\(directory)/home",
            ])
            #expect(tried.status == 3, "\(tried.output)")
            #expect(tried.output.contains("backup.json"), "\(tried.output)")
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/home"))
            let nothing = try await Server.command([
                "backup", "\(directory)/out", "--home", "\(directory)/none",
            ])
            #expect(nothing.status == 65, "\(nothing.output)")
        }
    }
}
