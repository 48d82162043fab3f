// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

/// What is live and does not run.
extension Deployment {
    /// Starts the instances of a live release that are gone, from its artifact and as the release it is: those that
    /// visitors wait for first.
    /// - Parameter isHeld: types that may not be started now.
    /// - Throws: `CancellationError` when it is not live any more; then nothing more of it runs.
    func restore(_ release: Release, unless isHeld: (String) -> Bool) async throws {
        do { try await startMissing(of: release, unless: isHeld) } catch is CancellationError {
            if await !isInForce(release) { await endLost(release) }
            throw CancellationError()
        }
    }

    /// Whether it is live and not suspended, as far as can be told.
    private func isInForce(_ release: Release) async -> Bool {
        // A read of a task that is cancelled is cancelled, too.
        await Task {
            do {
                _ = try await RestartJournal(store: store, release: release).swapping()
                return true
            } catch { return !(error is CancellationError) }
        }.value
    }

    private func startMissing(of release: Release, unless isHeld: (String) -> Bool) async throws {
        guard let plan = try await plan(release) else { return }
        let journal = RestartJournal(store: store, release: release)
        _ = try await journal.swapping()
        let recorded = try await store.release(release.target, release.number)?.instances ?? []
        let running = try await store.update(release.id, step: "starting again") {
            $0.instances.removeAll { !$0.supervisor.isRunning }
        }.instances
        // What a supervisor left that was killed goes on serving until there are others.
        let lost = recorded.filter { instance in
            !running.contains(instance) && instance.supervisor.boot == ProcessTable.bootIdentifier
        }
        await restorer.lose(lost, of: release)
        let there = Set(running.map(\.name))
        let missing = plan.groups.filter { !isHeld($0.name) }.map { group in
            (group, group.names.filter { !there.contains($0) })
        }
        for (group, names) in missing where group.worker == nil && !names.isEmpty {
            try await raise(names, plan, journal) { started in
                try await routes.set(
                    Deployment.route(release, to: running.web + started, files.of(release)))
            }
        }
        await rollout.stop(await restorer.takeLost(of: release), of: nil, longest: .seconds(0))
        let workers = missing.filter { $0.0.worker != nil }.flatMap { $0.1 }
        if !workers.isEmpty {
            try await stopReplaced(release.target)
            try await raise(workers, plan, journal) { _ in }
        }
        try await store.update(release.id, step: "started again") { _ in }
    }

    /// Ends what supervisors of the release left that were killed, and nothing takes the place of: once its requests have
    /// ended, of a release that the proxy sends none to any more.
    func endLost(_ release: Release) async {
        let lost = await restorer.takeLost(of: release)
        if !lost.web.isEmpty {
            _ = try? await routes.drain(
                release.upstream, release.manifest?.rollout.drain ?? Manifest.Rollout().drain)
        }
        await rollout.stop(lost, of: nil, longest: .seconds(0))
    }

    /// - Parameter use: inside the gate, when they are live and the release still is, too.
    private func raise(
        _ names: [String], _ plan: RolloutPlan, _ journal: RestartJournal,
        _ use: @Sendable ([Instance]) async throws -> Void
    ) async throws {
        let started = StartedInstances()
        do {
            try await rollout.raise(plan, names, journal, started)
            try await rollout.gate.with(plan.target) {
                _ = try await journal.swapping()
                try await use(started.all)
            }
        } catch {
            await Task {
                await rollout.stop(started.all, of: plan.manifest)
                _ = try? await store.update(journal.release.id) { $0.instances.remove(started.all) }
            }.value
            throw error
        }
    }
}
