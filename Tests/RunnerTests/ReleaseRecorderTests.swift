// SPDX-License-Identifier: Apache-2.0
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Runner

struct ReleaseRecorderTests {
    private func withRelease(
        _ body: (Store, Target, ReleaseRecorder) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let store = try Store(path: "\(directory)/kinto.db")
            let target = Target(service: try ServiceName("hello"))
            try await store.add(
                RegisteredService(
                    name: target.service, source: .hosted, repository: directory, createdAt: .now,
                    webhookSecret: "secret"),
                branch: "main")
            guard
                case .accepted(let accepted) = try await store.take(
                    NewRelease(target: target, commit: nil, branch: "main", trigger: .manual))
            else { throw Trouble("not accepted") }
            try await store.update(accepted.release.id) { $0.status = .deploying }
            let recorder = ReleaseRecorder(
                store: store, id: accepted.release.id, log: ReleaseLog(path: "\(directory)/log"),
                deadlines: Deadlines())
            try await recorder.starting(
                Instance(
                    identifier: "process", name: "web.1", port: 1,
                    supervisor: ProcessIdentity(pid: 1, startTicks: 0, boot: ""), statePath: "",
                    startedAt: .now))
            try await recorder.swapping()
            try await body(store, target, recorder)
        }
    }

    private let overdue = Failure(code: "stage-overdue", "late")

    /// The store took nothing for so long that the step was given up; the proxy has been told by then.
    @Test func whatServesIsOnRecordEvenAfterItWasGivenUp() async throws {
        try await withRelease { store, target, recorder in
            let given = try await recorder.finish(.failed, failure: overdue)
            #expect(given.status == .failed && given.instances.isEmpty)
            try await recorder.swapped(watch: nil)
            let live = try #require(try await store.live(target))
            #expect(live.status == .deploying && live.failure == nil && live.finishedAt == nil)
            #expect(live.instances.map(\.identifier) == ["process"])
            #expect(try await recorder.finish(.deployed).status == .deployed)
        }
    }

    @Test func whatWasLiveIsDeployedWhateverCameThen() async throws {
        try await withRelease { store, target, recorder in
            try await recorder.swapped(watch: nil)
            // A rollback came.
            try await store.update(try #require(try await store.live(target)).id) { $0.live = false }
            let done = try await recorder.finish(.failed, failure: overdue)
            #expect(done.status == .deployed && done.failure == nil)
            #expect(done.instances.map(\.identifier) == ["process"])
        }
    }
}
