// SPDX-License-Identifier: Apache-2.0
import KintoCore
import TestSupport
import Testing
import Wire

/// What becomes of the instances of releases that are not live any more.
struct ReplacedTests {
    private let target: Target

    init() throws { target = Target(service: try ServiceName("hello")) }

    private func withStore(_ body: (Store) async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            let store = try Store(path: "\(directory)/kinto.db")
            try await store.add(
                RegisteredService(
                    name: target.service, source: .hosted, repository: directory, createdAt: .now,
                    webhookSecret: "secret"),
                branch: "main")
            try await body(store)
        }
    }

    /// One that ran as `web.1`.
    private func release(
        _ store: Store, _ status: Release.Status = .deployed, live: Bool = false
    ) async throws -> Release {
        let accepted = try await store.acceptRelease(
            NewRelease(target: target, commit: nil, branch: "main", trigger: .manual))
        return try await store.update(accepted.id) {
            $0.instances.put(
                Instance(
                    identifier: "process \($0.number)", name: "web.1", port: 1,
                    supervisor: ProcessIdentity(pid: 1, startTicks: 0, boot: ""), statePath: "",
                    startedAt: .now))
            $0.status = status
            $0.liveAt = .now
            $0.live = live
        }
    }

    @Test func theLastThatWasGoodIsKept() async throws {
        try await withStore { store in
            let (first, second) = (try await release(store), try await release(store))
            let bad = try await release(store, .failed)
            _ = try await release(store, live: true)
            #expect(try await store.leftReleases(target).map(\.number) == [3, 2, 1])
            func keep(_ release: Release, until: Timestamp? = .now) async throws -> String {
                switch try await store.keepWarm(target, release.number, until: until) {
                case .kept(let kept): "kept until \(kept.warmUntil == until)"
                case .surplus: "surplus"
                case .gone: "gone"
                }
            }
            #expect(try await keep(first) == "surplus")
            #expect(try await keep(second) == "kept until true")
            #expect(try await keep(second, until: nil) == "surplus")
            #expect(try await keep(bad) == "surplus")
            try await store.update(second.id) { $0.instances.remove($0.instances) }
            #expect(try await keep(second) == "gone")
            #expect(try await keep(first) == "kept until true")
        }
    }

    @Test func whatTheProxyDidNotTakeIsGivenBack() async throws {
        try await withStore { store in
            let first = try await release(store)
            _ = try await release(store, live: true)
            let new = NewRelease(target: target, commit: nil, branch: "main", trigger: .rollback)
            let taken = try await store.acceptWarm(new, from: first)
            #expect(taken.instances == first.instances)
            #expect(try await store.leftReleases(target).isEmpty)
            try await store.giveBack(taken, to: first, Failure(code: "proxy-refused", "no"))
            #expect(try await store.leftReleases(target).map(\.instances) == [first.instances])
            let failed = try await store.release(target, taken.number)
            #expect(failed?.status == .failed && failed?.instances.isEmpty == true)
            #expect(failed?.finishedAt != nil && failed?.stage == nil)
        }
    }

    /// Neither the service nor its environment goes from the record while something of them runs.
    @Test func nothingThatRunsIsForgotten() async throws {
        try await withStore { store in
            let (old, live) = (try await release(store), try await release(store, live: true))
            for release in [old, live] {
                #expect(try await store.end(target) == nil)
                #expect(try await store.end(target.service) == nil)
                try await store.update(release.id) { $0.instances.remove($0.instances) }
            }
            #expect(try await store.end(target) != nil)
            #expect(try await store.end(target.service) != nil)
        }
    }
}
