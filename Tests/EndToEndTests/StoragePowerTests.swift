// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Runner
import TestSupport
import Testing
import Wire

/// The power goes. What a disk may hold then is made from a log of all that was written and synchronised.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct StoragePowerTests {
    @Test("Scenario 8: nothing that was acknowledged is lost, wherever the power goes")
    func nothingThatWasAcknowledgedIsLostWhereverThePowerGoes() async throws {
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
                #expect(try await push(server, shim).contains("Release 1 is live"))
                try note(.release(1, try await server.head()))
                let secret = server.webhookSecret
                for number in 2...9 {
                    if number % 4 == 0 {
                        try await server.kinto("config", "hello", "set", "GREETING=\(number)")
                        try note(.config("\(number)"))
                        try note(.release(number, nil))
                    } else if number == 6 || number == 7 {
                        // Kept by the hook while there is no server.
                        _ = server.stop()
                        try server.write("number", "\(number)")
                        #expect(try await push(server, shim).contains("the push is kept"))
                        let commit = try await server.head()
                        try note(.kept(commit))
                        try await server.serve()
                        try await server.until {
                            try await server.releases("hello").contains { $0["commit"] as? String == commit }
                        }
                        try note(.release(number, commit))
                    } else {
                        try server.write("number", "\(number)")
                        try await server.commitSilently("number \(number)", more: shim.gitEnvironment(server))
                        #expect(try await server.deliver("d-\(number)", secret: secret).status == 202)
                        try note(.release(number, try await server.head()))
                    }
                    if number % 3 == 0 {
                        try await server.until {
                            try await server.releases("hello").allSatisfy {
                                !["queued", "deploying"].contains($0["status"] as? String)
                            }
                        }
                    }
                }
                #expect(try await server.kinto("rollback", "hello", "1").status == 0)
                try note(.release(10, nil))
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
        /// With the commit that it is made of, where that was pushed for it.
        case release(Int, String?)
        case config(String)
        /// The push of a commit, without a server.
        case kept(String)
    }

    /// Commits what is there and pushes it, with all that git and the hook write down in the log.
    private func push(_ server: Server, _ shim: StorageShim) async throws -> String {
        try await server.git("add", "-A")
        try await server.git("commit", "-q", "--allow-empty", "-m", "a push")
        let push = try await server.run(
            "/usr/bin/git", ["-C", server.work, "push", "\(server.home)/repos/hello.git", "HEAD:main"],
            more: shim.gitEnvironment(server))
        guard push.status == 0 else { throw Trouble(push.output) }
        return push.output
    }

    /// Whether all that a commit is made of can be read.
    private func isWhole(_ commit: String, in repository: String) async throws -> String? {
        let done = try await Command.run(
            "/usr/bin/git", ["--git-dir", repository, "fsck", "--no-dangling", "--no-reflogs", commit],
            environment: ["GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"])
        return done.status == 0 ? nil : done.output
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
        var disk = Disk(root: home, ordered: "repos")
        var (artifacts, commits) = (0, 0)
        for index in 0...last {
            if index > 0 { disk.apply(log.entries[index - 1]) }
            guard points.contains(index) else { continue }
            let state = "\(directory)/state"
            var dice = Dice(seed: UInt64(index))
            try Files.removeTree(state)
            try disk.lose(
                &dice, into: state,
                only: ["kinto.db", "kinto.db-wal", "secret.key", "artifacts", "spool", "repos"])
            let place: Comment = "cut after entry \(index) of \(log.entries.count)"
            let store: Store
            do { store = try Store(path: "\(state)/kinto.db", signs: ["token"]) } catch {
                Issue.record("\(place): \(error)")
                continue
            }
            let target = Target(service: try ServiceName("hello"))
            let all = try await store.releases(target, limit: 1000)
            let releases = Set(all.map(\.number))
            let triggers = ((try? Files.list("\(state)/spool")) ?? []).filter { $0.hasSuffix(".trigger") }
            let kept = try triggers.map {
                try Fields(decoding: Files.read("\(state)/spool/\($0)"))["update"] ?? ""
            }
            var last: String?
            let config = try await store.config(target)["GREETING"].flatMap { Int($0) } ?? 0
            for (entry, what) in acknowledged where entry <= index {
                switch what {
                case .release(let number, let commit):
                    #expect(releases.contains(number), place)
                    last = commit ?? last
                case .config(let value): #expect(config >= Int(value) ?? 0, place)
                case .kept(let commit):
                    #expect(
                        all.contains { $0.commit?.description == commit }
                            || kept.contains { $0.contains(commit) }, place)
                    last = commit
                }
            }
            // The last has all before it.
            if let last {
                let trouble = try await isWhole(last, in: "\(state)/repos/hello.git")
                #expect(trouble == nil, place)
                commits += 1
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
        print(
            "\(points.count) cuts in \(log.entries.count) entries, \(artifacts) artifacts and \(commits) commits verified"
        )
    }
}

extension StorageShim {
    /// For git, what it runs, and the hook.
    func gitEnvironment(_ server: Server) -> [String] {
        environment(home: server.home, logs: true, children: "all")
    }
}

extension Server {
    /// The commit that the work tree is at.
    func head() async throws -> String {
        try await git("rev-parse", "HEAD").output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A commit in the repository, told to nobody.
    /// - Parameter more: variables for git.
    func commitSilently(_ message: String, more: [String] = []) async throws {
        try await git("add", "-A")
        try await git("commit", "-q", "-m", message)
        let push = try await run(
            "/usr/bin/git",
            [
                "-C", work, "push", "-q", "--receive-pack=git -c core.hooksPath=/dev/null receive-pack",
                "\(home)/repos/hello.git", "HEAD:main",
            ], more: more)
        guard push.status == 0 else { throw Trouble(push.output) }
    }
}
