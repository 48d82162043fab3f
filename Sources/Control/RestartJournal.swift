// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Wire

/// Records the instances of a release that is live already and is only started again.
struct RestartJournal: RolloutJournal {
    let store: Store
    let release: Release

    func enter(_ stage: Stage) async throws {}
    func starting(_ instance: Instance) async throws {
        try await store.update(release.id, step: "starting \(instance.name) again") {
            $0.instances.put(instance)
        }
    }
    func swapping() async throws -> RolloutPlan.Previous? {
        // Another release, or an operator, may have come first.
        guard let live = try await store.live(release.target), live.id == release.id,
            try await store.environment(release.target)?.suspended == false
        else { throw CancellationError() }
        return nil
    }
    func clear(_ types: Set<String>) async throws {}
    func stopped(_ workers: [Instance], of previous: RolloutPlan.Previous) async {}
    func swapped(from previous: RolloutPlan.Previous?, baseline: Double) async throws {}
    func drained(_ receipt: Release.SwapReceipt) async throws {}
    func log(_ line: LogLine) async {}
}
