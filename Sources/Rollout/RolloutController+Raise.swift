// SPDX-License-Identifier: Apache-2.0
public import KintoCore
internal import Wire

/// Instances that are started and proven together.
extension RolloutController {
    /// Starts instances side by side and waits until all of them are live, or have run for as long as they must.
    /// - Parameters:
    ///   - names: `web.1`, `worker.2`.
    ///   - began: told of each as soon as it runs: whatever happens then, the caller stops them.
    public func raise(
        _ plan: RolloutPlan, _ names: [String], _ journal: any RolloutJournal, _ began: StartedInstances
    ) async throws {
        if names.isEmpty { return }
        var started: [Started] = []
        for name in names {
            guard let group = plan.groups.first(where: { $0.name == ProcessGroup.type(of: name) }) else {
                continue
            }
            try Task.checkCancellation()
            let one = try await start(name, of: group, plan, journal)
            began.put(one.instance)
            started.append(one)
        }
        try await journal.enter(.probe)
        let (web, workers) = (
            started.filter { $0.group.worker == nil }, started.filter { $0.group.worker != nil }
        )
        for group in plan.groups {
            guard let stable = group.worker?.stable, stable.milliseconds > 0 else { continue }
            let names = workers.filter { $0.group.name == group.name }.map(\.instance.name)
            if names.isEmpty { continue }
            await journal.log(
                .detail("Waiting for \(names.joined(separator: ", ")) to stay up for \(stable)"))
        }
        // The first that fails is the reason; the others are not waited for.
        try await withThrowingTaskGroup(of: Void.self) { group in
            if !web.isEmpty { group.addTask { try await proveWeb(web, plan, journal, began) } }
            for worker in workers { group.addTask { try await proveWorker(worker, plan) } }
            defer { group.cancelAll() }
            for try await _ in group {}
        }
        if !workers.isEmpty {
            await journal.log(.step("Running: \(workers.map(\.instance.name).joined(separator: ", "))"))
        }
    }

    private func proveWeb(
        _ web: [Started], _ plan: RolloutPlan, _ journal: any RolloutJournal, _ began: StartedInstances
    ) async throws {
        var started = web
        for index in started.indices {
            for attempt in 1... {
                let one = started[index]
                guard let port = one.instance.port else { break }
                do {
                    try await prove(one.instance, one.handle, plan, journal)
                    break
                } catch let failure as Failure
                    where attempt < Self.portAttempts && lostItsPort(one.instance, port, failure)
                {
                    await journal.log(
                        .detail("Another program took port \(port) meanwhile: starting on another"))
                    await stop([one.instance], of: plan.manifest, longest: .seconds(0))
                    started[index] = try await start(one.instance.name, of: one.group, plan, journal)
                    began.put(started[index].instance)
                }
            }
        }
        let places = started.map { "\($0.instance.name) on 127.0.0.1:\($0.instance.port ?? 0)" }
        await journal.log(.step("Healthy: \(places.joined(separator: ", "))"))
    }

    /// Ports cannot be kept for somebody: between the choice and the instance's own call another program may come.
    private static let portAttempts = 4

    private func lostItsPort(_ instance: Instance, _ port: UInt16, _ failure: Failure) -> Bool {
        guard ["exited", "foreign-listener"].contains(failure.code) else { return false }
        let own = Set(Listeners.of(instance.supervisor, port: port).map(\.inode))
        return Listeners.all(port: port).contains { $0.isReachable && !own.contains($0.inode) }
    }
}

extension RolloutPlan {
    /// Whether the instance may run beside that of the release before.
    func overlaps(_ name: String) -> Bool {
        groups.first { $0.name == ProcessGroup.type(of: name) }?.worker?.overlaps ?? true
    }
}
