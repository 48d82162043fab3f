// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// What is kept and what goes, on a real home.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct StorageRetentionTests {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"mkdir -p kept && seq 100 > kept/x","cache":["kept"]},"rollout":{"warm":"0s","watch":"0s"}}"#

    @Test func afterEachReleaseTheOldestGoAndTheRestCanComeBack() async throws {
        try await Server.with(["--keep", "artifacts=2", "--keep", "recent=0m"]) { server in
            try await server.setUp(Self.settings)
            try await server.pushChange("1")
            #expect(try await server.kinto("pin", "hello", "1").status == 0)
            for number in 2...6 { try await server.pushChange("\(number)") }
            // Live, two before it, and the pinned one.
            try await server.until { try server.artifacts() == ["1", "4", "5", "6"] }
            let available = try await server.releases("hello").map {
                ($0["artifact"] as? [String: Any])?["available"] as? Bool
            }
            #expect(available == [true, true, true, false, false, true])

            let refused = try await server.kinto("rollback", "hello", "2")
            #expect(refused.status == 3, "\(refused.output)")
            #expect(refused.output.contains("not kept any more"), "\(refused.output)")
            #expect(refused.output.contains("kinto deploy hello --ref "), "\(refused.output)")
            #expect(try await server.kinto("pin", "hello", "2").status == 3)
            #expect(try await server.kinto("rollback", "hello", "4").output.contains("Release 7 is live"))

            // The first is pinned yet: else what retention does after the rollback might take it now.
            let dry = try await server.kinto("prune", "--dry-run", "--keep", "1")
            #expect(dry.output.contains("hello/production/5"), "\(dry.output)")
            #expect(try server.artifacts() == ["1", "4", "5", "6"])
            #expect(try await server.kinto("unpin", "hello", "1").status == 0)
            let pruned = try await server.kinto("prune", "hello", "--keep", "1")
            #expect(pruned.output.contains("freed "), "\(pruned.output)")
            // The live release has the fourth's, and the sixth was live before it.
            #expect(try server.artifacts() == ["4", "6"], "\(pruned.output)")
            #expect(try await server.kinto("rollback", "hello").output.contains("is live"))
            #expect(try await server.kinto("prune", "--keep", "0").status == 2)

            try await server.until {
                let storage = (try await server.json("status", "--json") as? [String: Any])?["storage"]
                guard let sizes = storage as? [String: Any] else { return false }
                return ["home", "artifacts", "logs", "caches", "repositories", "database", "free"].allSatisfy
                {
                    (sizes[$0] as? Int ?? 0) > 0
                }
            }
            #expect(try await server.kinto("status").output.contains("artifacts "))
        }
    }

    @Test("Scenario 55: retention takes nothing from a rollback to the oldest")
    func retentionTakesNothingFromARollbackToTheOldest() async throws {
        try await Server.with(["--keep", "artifacts=5", "--keep", "recent=0m"]) { server in
            try await server.setUp(
                #"{"start":"while [ -e \#(server.root)/wait ]; do sleep 0.05; done; exec python3 server.py","probe":{"path":"/","deadline":"10m"},"rollout":{"warm":"0s","watch":"0s"}}"#
            )
            for number in 1...4 { try await server.pushChange("\(number)") }
            try server.touch("wait")
            async let rollback = server.kinto("rollback", "hello", "1")
            try await server.until {
                try await server.releases("hello").first?["status"] as? String == "deploying"
            }
            for _ in 0..<3 { #expect(try await server.kinto("prune", "--keep", "1").status == 0) }
            try FileManager.default.removeItem(atPath: "\(server.root)/wait")
            while try await server.releases("hello").first?["status"] as? String == "deploying" {
                #expect(try await server.kinto("prune", "--keep", "1").status == 0)
            }
            #expect(try await rollback.output.contains("Release 5 is live"))
            #expect(try await server.get().status == 200)
            try await server.until {
                try await server.kinto("prune", "--keep", "1").status == 0
                    && server.artifacts() == ["1", "4"]
            }
        }
    }

    @Test func aBuildIsNotStartedBelowTheFloorAndARollbackIs() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.pushChange("1")
            try await server.pushChange("2")
            _ = server.stop()
            try await server.serve("--keep", "free-bytes=900000GiB")
            let push = try await server.pushChange("3")
            let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "space-low", "\(push.output)")
            #expect(push.output.contains(server.home), "\(push.output)")
            #expect(push.output.contains("kinto prune"), "\(push.output)")
            #expect(try await server.get().status == 200)
            #expect(try await server.kinto("rollback", "hello", "1").output.contains("is live"))
            let doctor = try await server.kinto("doctor")
            #expect(doctor.status == 1 && doctor.output.contains(" !     space"), "\(doctor.output)")
        }
    }

    /// What a server that was killed left half done is gone when the next one serves.
    @Test func remainsOfAnEarlierServerAreSweptAtTheStart() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.pushChange("1")
            _ = server.stop()
            for path in ["artifacts/.new-x/tree", "artifacts/orphan/tree", "work/hello/production/9/deep"] {
                try Files.makeDirectories("\(server.home)/\(path)")
                try Files.replace("\(server.home)/\(path)/file", with: [1])
            }
            try Files.replace("\(server.home)/artifacts/orphan/manifest", with: [1])
            try await server.serve()
            try await server.until {
                try Files.list("\(server.home)/artifacts") == ["hello.production.1"]
                    && Files.list("\(server.home)/work/hello/production").isEmpty
            }
            #expect(try await server.kinto("prune", "--json").status == 0)
            #expect(try await server.pushChange("2").output.contains("is live"))
        }
    }
}

extension Server {
    /// The numbers of the releases whose artifacts are there.
    fileprivate func artifacts() throws -> [String] {
        try Files.list("\(home)/artifacts").filter { !$0.hasPrefix(".") }
            .compactMap { $0.split(separator: ".").last.map(String.init) }.sorted()
    }
}

extension Server {
    /// Another tree, or an artifact that is there would be taken for it.
    @discardableResult
    fileprivate func pushChange(_ number: String) async throws -> Result {
        try write("number", number)
        return try await push(number)
    }
}
