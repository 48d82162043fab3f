// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Real file systems that are really full, or that nobody may write to. Mounting one takes root, or sudo without a
/// password.
@Suite(.timeLimit(.minutes(20)))
struct StorageSpaceTests {
    private static let settings = #"{"start":"python3 server.py","probe":{"path":"/"}}"#

    @Test(
        "Scenarios 9 and 39: a full disk fails the release and nothing else, what was refused comes again, and its end is noticed"
    )
    func fullDisk() async throws {
        try await onFileSystem("size=24m") { server in
            try await server.setUp(Self.settings)
            try await server.push("first")
            let (before, pid) = (try await server.body(), server.pid)
            let visitors = Visitors(server, count: 4)
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"cat /dev/zero > big"}}"#
            )
            let full = try await server.push("too much")
            #expect(full.output.contains("the disk is full: \(server.home)/work/"), "\(full.output)")
            let failed = try await server.releases("hello").first
            #expect(failed?["status"] as? String == "failed")
            #expect((failed?["failure"] as? [String: Any])?["code"] as? String == "disk-full")

            try server.write("kinto.json", Self.settings)
            try await server.commitSilently("small")
            try await refusesAndTakes(server) {
                // Somebody else fills the disk.
                try await server.shell("cat /dev/zero > \(server.home)/filler || true")
            } end: {
                unlink("\(server.home)/filler")
            }
            #expect(try await server.body() != before)
            #expect(server.pid == pid && kill(pid, 0) == 0)
            #expect(try await server.push("with room").status == 0)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
            #expect(
                try FileManager.default.subpathsOfDirectory(atPath: "\(server.home)/work").allSatisfy {
                    !$0.contains("big")
                })
        }
    }

    @Test("Scenario 19: a file system without room for one file more is as one that is full")
    func noFiles() async throws {
        try await onFileSystem("size=64m,nr_inodes=2000") { server in
            try await server.setUp(Self.settings)
            try await server.push("first")
            let (before, pid) = (try await server.body(), server.pid)
            let visitors = Visitors(server, count: 2)
            try server.write("number", "2")
            try await server.commitSilently("second")
            let filler = "\(server.home)/filler"
            try await server.shell(
                "mkdir \(filler); for i in $(seq 2000); do : > \(filler)/$i || break; done 2>/dev/null")
            // What is in the database needs no new file; what a release makes does.
            #expect(try await server.deliver("one", secret: server.webhookSecret).status == 202)
            try await isStopped(server, by: "No space left on device")
            #expect(try await server.body() == before)
            try Files.removeTree(filler)
            #expect(try await server.push("third").output.contains("Release 3 is live"))
            try await settled(server)
            #expect(server.pid == pid && kill(pid, 0) == 0)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }

    @Test("Scenario 19: a home that turns read-only fails the release and nothing else")
    func readOnly() async throws {
        try await onFileSystem("size=64m") { server in
            try await server.setUp(Self.settings)
            try await server.push("first")
            let (before, pid) = (try await server.body(), server.pid)
            let visitors = Visitors(server, count: 2)
            try server.write("number", "2")
            try await server.commitSilently("second")
            // Over itself: what is open stays writable, as the kernel has it, and nothing more can be opened.
            try Server.asRoot("mount", "--bind", server.home, server.home)
            try Server.asRoot("mount", "-o", "remount,ro,bind", server.home)
            let answer = try await server.deliver("one", secret: server.webhookSecret)
            #expect(answer.status == 202 || answer.status == 503, "\(answer.head)")
            if answer.status == 202 { try await isStopped(server, by: "Read-only file system") }
            #expect(try await server.body() == before)
            try Server.asRoot("umount", server.home)
            #expect(try await server.push("third").output.contains("is live"))
            #expect(try await server.body() != before)
            try await settled(server)
            #expect(server.pid == pid && kill(pid, 0) == 0)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }

    /// A release that began has failed, with the path; one that cannot begin waits, which the server's log tells.
    private func isStopped(_ server: Server, by cause: String) async throws {
        try await server.until {
            let last = try await server.releases("hello").first
            let log = String(decoding: try Files.read("\(server.root)/serve.log"), as: UTF8.self)
            let failure = (last?["failure"] as? [String: Any])?["message"] as? String ?? ""
            let told = last?["status"] as? String == "failed" ? failure : log
            return told.split(separator: "\n").contains { $0.contains(cause) && $0.contains(server.home) }
        }
    }

    private func settled(_ server: Server) async throws {
        try await server.until {
            try await server.releases("hello").allSatisfy {
                !["queued", "deploying"].contains($0["status"] as? String)
            }
        }
    }

    /// Deliveries while nothing can be stored: refused with 503 at the latest when the database needs room itself, and
    /// what was refused is new when it comes again.
    private func refusesAndTakes(
        _ server: Server, begin: () async throws -> Void, end: () -> Void
    ) async throws {
        try await begin()
        var refused: String?
        for number in 0..<200 where refused == nil {
            let answer = try await server.deliver("full-\(number)", secret: server.webhookSecret)
            #expect([202, 200, 503].contains(answer.status), "\(answer.head)")
            if answer.status == 503 {
                #expect(answer.head.contains("retry-after:"), "\(answer.head)")
                refused = "full-\(number)"
            }
        }
        #expect(try await server.get().status == 200)
        end()
        let again = try #require(refused, "the database never needed room")
        try await settled(server)
        let last = try await server.releases("hello").first?["number"] as? Int ?? 0
        #expect(try await server.deliver(again, secret: server.webhookSecret).status == 202)
        try await server.until {
            let now = try await server.releases("hello").first
            return now?["number"] as? Int == last + 1 && now?["status"] as? String == "deployed"
        }
    }

    /// A server whose home is a file system of its own.
    private func onFileSystem(_ options: String, _ body: (Server) async throws -> Void) async throws {
        var root: String?
        defer {
            if let root {
                // One over the other, when a test did not come to its end.
                for _ in 0..<2 { _ = try? Server.asRoot("umount", "--lazy", "--quiet", "\(root)/home") }
                try? FileManager.default.removeItem(atPath: root)
            }
        }
        try await Server.with(["--keep", "free-bytes=0B", "--keep", "free-files=0"]) { server in
            try FileManager.default.createDirectory(atPath: server.home, withIntermediateDirectories: true)
            try Server.asRoot("mount", "-t", "tmpfs", "-o", "\(options),mode=0777", "tmpfs", server.home)
            root = server.root
        } _: {
            try await body($0)
        }
    }
}
