// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Runner
import TestSupport
import Testing
import Wire

/// The power goes. What a disk may hold then is made from a log of all that was written and synchronised.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct StoragePowerTests {
    /// Scenario 8.
    @Test func nothingThatWasAcknowledgedIsLostWhereverThePowerGoes() async throws {
        try await TemporaryDirectory.with { directory in
            let shim = try await StorageShim(in: directory)
            let home = Mutexed("")
            let acknowledged = Mutexed<[(entry: Int, what: Acknowledged)]>([])
            let (ready, over) = (Mutexed(0), Mutexed(0))
            try await Server.with(environment: { shim.environment(home: $0.home, logs: true) }) { server in
                home.write { $0 = server.home }
                func note(_ what: Acknowledged) throws {
                    let entry = Int(try shim.logged)
                    acknowledged.write { $0.append((entry, what)) }
                }
                try await server.setUp(
                    #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"warm":"0s","watch":"0s"}}"#
                )
                let entry = Int(try shim.logged)
                ready.write { $0 = entry }
                try await server.push("first")
                try note(.release(1))
                let secret = server.webhookSecret
                for number in 2...9 {
                    if number % 4 == 0 {
                        try await server.kinto("config", "hello", "set", "GREETING=\(number)")
                        try note(.config("\(number)"))
                    } else {
                        try server.write("number", "\(number)")
                        try await server.commitSilently("number \(number)")
                        #expect(try await server.deliver("d-\(number)", secret: secret).status == 202)
                    }
                    try note(.release(number))
                    if number % 3 == 0 {
                        try await server.until {
                            try await server.releases("hello").allSatisfy {
                                !["queued", "deploying"].contains($0["status"] as? String)
                            }
                        }
                    }
                }
                #expect(try await server.kinto("rollback", "hello", "1").status == 0)
                try note(.release(10))
                // What follows removes the service.
                let last = Int(try shim.logged)
                over.write { $0 = last }
            }
            let log = try DiskLog(shim.log)
            try await cut(
                log, from: ready.read { $0 }, to: over.read { $0 }, home: home.read { $0 },
                acknowledged.read { $0 }, in: directory)
        }
    }

    private enum Acknowledged: Sendable {
        case release(Int)
        case config(String)
    }

    private func cut(
        _ log: DiskLog, from first: Int, to last: Int, home: String,
        _ acknowledged: [(entry: Int, what: Acknowledged)],
        in directory: String
    ) async throws {
        let every = ProcessInfo.processInfo.environment["KINTO_FAULTS"] == "all"
        let step = every ? 1 : max(1, (last - first) / 300)
        var points = Set(stride(from: first, through: last, by: step))
        points.formUnion(acknowledged.map(\.entry))
        #expect(points.count >= 200)
        var disk = Disk(root: home)
        var artifacts = 0
        for index in 0...last {
            if index > 0 { disk.apply(log.entries[index - 1]) }
            guard points.contains(index) else { continue }
            let state = "\(directory)/state"
            var dice = Dice(seed: UInt64(index))
            try Files.removeTree(state)
            try disk.lose(
                &dice, into: state, only: ["kinto.db", "kinto.db-wal", "secret.key", "artifacts"])
            let place: Comment = "cut after entry \(index) of \(log.entries.count)"
            let store: Store
            do { store = try Store(path: "\(state)/kinto.db", signs: ["token"]) } catch {
                Issue.record("\(place): \(error)")
                continue
            }
            let target = Target(service: try ServiceName("hello"))
            let releases = Set(try await store.releases(target, limit: 1000).map(\.number))
            let config = try await store.config(target)["GREETING"].flatMap { Int($0) } ?? 0
            for (entry, what) in acknowledged where entry <= index {
                switch what {
                case .release(let number): #expect(releases.contains(number), place)
                case .config(let value): #expect(config >= Int(value) ?? 0, place)
                }
            }
            let root = try ArtifactStore(root: "\(state)/artifacts")
            for (identifier, recorded) in try await store.artifactsOnRecord() {
                #expect(throws: Never.self, place) {
                    try root.verify(
                        Artifact(
                            id: identifier, sha256: recorded.sha256, bytes: Int(recorded.bytes), files: 0,
                            path: root.tree(identifier)), hashAll: true)
                }
                artifacts += 1
            }
            try store.close()
        }
        print("\(points.count) cuts in \(log.entries.count) entries, \(artifacts) artifacts verified")
    }
}

extension Server {
    /// A commit in the repository, told to nobody.
    func commitSilently(_ message: String) async throws {
        try await git("add", "-A")
        try await git("commit", "-q", "-m", message)
        let push = try await git(
            "push", "-q", "--receive-pack=git -c core.hooksPath=/dev/null receive-pack",
            "\(home)/repos/hello.git", "HEAD:main")
        guard push.status == 0 else { throw Trouble(push.output) }
    }
}
