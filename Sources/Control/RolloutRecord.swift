// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Runner
internal import Synchronization
internal import Wire

/// The number of the release that was stopped, in part at least, before the next one started.
final class Stopped: Sendable {
    private let number = Mutex<Int?>(nil)

    var release: Int? { number.withLock { $0 } }
    func set(_ release: Int) { number.withLock { $0 = release } }
}

/// Records a rollout, and has the release watched from the moment it is live.
struct RolloutRecord: RolloutJournal {
    let recorder: ReleaseRecorder
    let store: Store
    let keeper: ReleaseKeeper
    let rollouts: Slots
    let plan: RolloutPlan
    let deployment: Deployment
    let stopped: Stopped

    func enter(_ stage: Stage) async throws { try await recorder.enter(stage) }
    func starting(_ instance: Instance) async throws { try await recorder.starting(instance) }
    func swapping() async throws -> RolloutPlan.Previous? {
        try await recorder.swapping()
        return try await store.live(plan.target).flatMap(RolloutPlan.Previous.init)
    }
    func clear(_ types: Set<String>) async throws {
        try await deployment.clear(types, for: plan, recorder, stopped)
    }
    func stopped(_ workers: [Instance], of previous: RolloutPlan.Previous) async {
        let names = workers.map(\.name).joined(separator: ", ")
        await recorder.log(.step("Stopped \(names) of release \(previous.number)"))
        _ = try? await persistently { [deployment, plan] in try await deployment.stopReplaced(plan.target) }
    }
    func swapped(from previous: RolloutPlan.Previous?, baseline: Double) async throws {
        let time = Int64(plan.manifest.rollout.watch.milliseconds)
        let watch = (previous?.number ?? stopped.release).flatMap { number in
            time == 0
                ? nil
                : Release.Watch(
                    until: Timestamp(milliseconds: Timestamp.now.milliseconds + time), previous: number,
                    baseline: baseline)
        }
        try await recorder.swapped(watch: watch)
        let live = try await persistently { [store, plan] in try await store.release(plan.target, plan.number)
        }
        guard let release = live else { return }
        // The drain may take its time.
        await rollouts.give(release)
        await keeper.watch(release, plan)
    }
    func drained(_ receipt: Release.SwapReceipt) async throws {
        try await persistently { [recorder] in try await recorder.drained(receipt) }
    }
    func log(_ line: LogLine) async { await recorder.log(line) }
}
