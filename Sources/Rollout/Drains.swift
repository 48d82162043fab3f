// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// The drains under way, by instance. An instance that was taken back and replaced again has several: the proxy knows it
/// by the name of each release that it served as, and each has requests of its own.
actor Drains {
    private var running: [String: Int] = [:]
    private var waiting: [(instances: [Instance], resume: CheckedContinuation<Void, Never>)] = []

    /// Counts `body` as a drain of the instances.
    nonisolated func during<T: Sendable>(
        _ instances: [Instance], _ body: @Sendable () async -> T
    ) async -> T {
        await begin(instances)
        let result = await body()
        await end(instances)
        return result
    }

    /// Returns when no drain of any of the instances is under way: each ends by its own deadline.
    func ended(_ instances: [Instance]) async {
        guard isRunning(instances) else { return }
        await withCheckedContinuation { waiting.append((instances, $0)) }
    }

    private func isRunning(_ instances: [Instance]) -> Bool {
        instances.contains { running[$0.identifier] != nil }
    }

    private func begin(_ instances: [Instance]) {
        for instance in instances { running[instance.identifier, default: 0] += 1 }
    }

    private func end(_ instances: [Instance]) {
        for instance in instances {
            let left = (running[instance.identifier] ?? 1) - 1
            running[instance.identifier] = left == 0 ? nil : left
        }
        let free = waiting.filter { !isRunning($0.instances) }
        waiting.removeAll { !isRunning($0.instances) }
        for waiter in free { waiter.resume.resume() }
    }
}
