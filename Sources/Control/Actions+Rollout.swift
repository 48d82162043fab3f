// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Logging
internal import Rollout
internal import Runner
internal import Wire

extension Actions {
    /// A rollback to a release that still runs: only the proxy is told.
    /// - Returns: nil when it does not run any more, or something else is queued: then it takes the usual way.
    func takeBack(_ earlier: Release, as new: NewRelease) async throws -> Release? {
        let web = earlier.instances.web
        guard !earlier.live, !web.isEmpty, web.allSatisfy(\.supervisor.isRunning)
        else { return nil }
        let target = new.target
        let swapped: TakenBack
        do {
            // Also when who asked goes away: from the acceptance on it is brought to its end.
            let task = Task {
                try await rollout.gate.with(target) { try await swap(to: earlier, as: new) }
            }
            swapped = try await task.value
        } catch let failure as Failure where failure.code == "not-warm" { return nil }
        try? Files.makeDirectories(home.release(target, swapped.release.number))
        Task { await settle(swapped, from: earlier) }
        return swapped.release
    }

    private struct TakenBack {
        let release: Release
        let previous: RolloutPlan.Previous?
        /// Its counters at the swap.
        let before: ProxyReply.Counters?
    }

    /// Inside the gate.
    private func swap(to earlier: Release, as new: NewRelease) async throws -> TakenBack {
        let previous = try await store.live(new.target).flatMap(RolloutPlan.Previous.init)
        async let counters = try? await routes.counters()
        let release = try await store.acceptWarm(new, from: earlier)
        let before = await counters?.first { $0.upstream == previous?.upstream }
        do {
            try await routes.set(
                Deployment.route(release, to: release.instances, deployment.files.of(release)))
        } catch {
            // What serves goes on.
            let failure = Lanes.failure(error)
            try await persistently(for: nil) { try await store.giveBack(release, to: earlier, failure) }
            if let old = RolloutPlan.Previous(earlier) { Task { await keeper.keep(old, of: new.target) } }
            throw error
        }
        let live = try await persistently(for: nil) {
            try await store.update(release.id, step: "swapped") {
                $0.live = true
                $0.liveAt = .now
                $0.stage = .drain
            }
        }
        for instance in live.instances { rollout.lives.watch(instance) }
        return TakenBack(release: live, previous: previous, before: before)
    }

    /// Workers are not kept warm: those of what was replaced are stopped, and then the release's own start.
    private func startWorkers(
        of release: Release, after previous: RolloutPlan.Previous?, _ log: ReleaseLog
    ) async {
        guard previous?.instances.workers.isEmpty == false || release.manifest?.processes.isEmpty == false
        else {
            return
        }
        do { try await deployment.stopReplaced(release.target) } catch {
            logger.error("workers cannot be stopped", metadata: ["error": "\(error)"])
        }
        guard let plan = try? await deployment.plan(release),
            plan.groups.contains(where: { $0.worker != nil && $0.instances > 0 })
        else { return }
        await deployment.restorer.restore([release])
        if let trouble = await deployment.restorer.trouble(release.target) {
            log.append(.trouble("\(trouble.failure.message); it is tried again"))
        } else {
            let names = plan.groups.filter { $0.worker != nil }.flatMap(\.names)
            log.append(.step("Running: \(names.joined(separator: ", "))"))
        }
    }

    /// The rest of a rollback that visitors have already: the log, the drain, the record.
    private func settle(_ swapped: TakenBack, from earlier: Release) async {
        let (release, target) = (swapped.release, swapped.release.target)
        let log = ReleaseLog(path: home.releaseLog(target, release.number))
        log.append(.step("Release \(release.number) of \(target), by rollback"))
        log.append(.step("Release \(earlier.number) was still running: its instances serve again"))
        async let workers: Void = startWorkers(of: release, after: swapped.previous, log)
        let receipt = await rollout.drain(
            swapped.previous, before: swapped.before, upstream: release.upstream)
        await workers
        if let previous = swapped.previous {
            await keeper.keep(previous, of: target)
            log.append(.step("Release \(previous.number) drained"))
            log.append(.detail("Swap: \(receipt.description)"))
        }
        do {
            _ = try await persistently(for: nil) {
                try await store.update(release.id, step: "finished: deployed") {
                    $0.swap = receipt
                    guard $0.status == .deploying else { return }
                    $0.status = .deployed
                    $0.stage = nil
                    $0.finishedAt = .now
                }
            }
        } catch { logger.error("the outcome cannot be recorded", metadata: ["error": "\(error)"]) }
        if let manifest = release.manifest {
            log.append(.step(deployment.isLive(release, manifest)))
        }
        log.close()
    }
}
