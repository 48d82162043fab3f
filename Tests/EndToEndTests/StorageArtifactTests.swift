// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// What is stored of a release is what comes back, and nobody else's.
@Suite(.timeLimit(.minutes(20)))
struct StorageArtifactTests {
    @Test("Scenario 54: an artifact with a bit that turned is refused, and what is live stays")
    func aTurnedBit() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"warm":"0s","watch":"0s"}}"#)
            try await server.push("first")
            try server.write("number", "2")
            try await server.push("second")
            let before = try await server.body()
            let visitors = Visitors(server, count: 2)
            let path = "\(server.home)/artifacts/hello.production.1/tree/server.py"
            var bytes = try Files.read(path)
            bytes[bytes.count / 2] ^= 1
            // In place, without a trace in the file's times: what a disk does.
            var status = stat()
            #expect(stat(path, &status) == 0)
            chmod(path, 0o600)
            do {
                let file = try Descriptor.open(path, O_WRONLY)
                #expect(pwrite(file.raw, bytes, bytes.count, 0) == bytes.count)
                let times = [status.st_atim, status.st_mtim]
                futimens(file.raw, times)
            }
            chmod(path, status.st_mode & 0o7777)

            let rollback = try await server.kinto("rollback", "hello", "1")
            #expect(rollback.status != 0)
            #expect(rollback.output.contains("server.py"), "\(rollback.output)")
            let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "artifact-damaged", "\(rollback.output)")
            #expect(try await server.body() == before)
            #expect(
                try await server.releases("hello").first { $0["live"] as? Bool == true }?["number"] as? Int
                    == 2)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }

    @Test("Scenario 56: services of one repository, with names that are alike, share no directory")
    func namesAlike() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"mkdir -p kept; date +%N >> kept/x; cp kept/x built","cache":["kept"]}}"#
            )
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "first")
            try await server.git("clone", "-q", "--bare", server.work, "\(server.root)/shared.git")
            let names = ["shop", "shop-production", "shop--production", "shop-1", "shop1", "production"]
            for name in names {
                let added = try await server.kinto(
                    "service", "add", name, "--repo", "file://\(server.root)/shared.git")
                #expect(added.status == 0, "\(added.output)")
            }
            await withTaskGroup(of: Void.self) { group in
                for name in names {
                    group.addTask {
                        let deploy = try? await server.kinto("deploy", name)
                        #expect(deploy?.output.contains("is live") == true, "\(deploy?.output ?? "")")
                    }
                }
            }
            var pids: Set<Substring> = []
            var built: Set<[UInt8]> = []
            for name in names {
                let answer = try await server.get(host: "\(name).localhost")
                #expect(answer.status == 200)
                let words = String(decoding: answer.body, as: UTF8.self).split(separator: " ")
                if words.count > 1 { pids.insert(words[1]) }
                let releases = try await server.releases(name)
                #expect(releases.map { $0["number"] as? Int } == [1], "\(name)")
                // Each made its own: the cache began empty, so there is one line.
                let file = try Files.read("\(server.home)/artifacts/\(name).production.1/tree/built")
                #expect(file.count { $0 == 0x0A } == 1, "\(name)")
                built.insert(file)
            }
            #expect(pids.count == names.count)
            #expect(built.count == names.count)
            #expect(try Files.list("\(server.home)/artifacts").count == names.count)

            // One goes with all that it has, and takes nothing of the others.
            #expect(try await server.kinto("service", "remove", "shop", "--yes").status == 0)
            for name in names.dropFirst() {
                #expect(try await server.get(host: "\(name).localhost").status == 200)
                #expect(
                    try await server.kinto("deploy", name, "--force").output.contains("Release 2 is live"))
            }
            #expect(!Files.exists("\(server.home)/services/shop"))
        }
    }
}
