// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Logging
internal import Rollout
internal import Runner
internal import Wire

/// What comes after a swap: the new release is watched for a while, the old one is kept warm so that it can come back
/// at once, and trouble brings it back.
actor ReleaseKeeper {
    private let home: Home
    private let store: Store
    private let rollout: RolloutController
    private let routes: Routes
    private let logger: Logger
    private let restorer: Restorer
    /// Rolls out an earlier release whose instances are gone: told by `whenCold`.
    private var rollBack: @Sendable (Release) async -> Void = { _ in }
    private var watches: [Target: (release: Int64, task: Task<Void, Never>)] = [:]
    private var timers: [Int64: Task<Void, Never>] = [:]

    init(
        home: Home, store: Store, rollout: RolloutController, routes: Routes, restorer: Restorer,
        logger: Logger
    ) {
        self.restorer = restorer
        self.home = home
        self.store = store
        self.rollout = rollout
        self.routes = routes
        self.logger = logger
    }

    func whenCold(_ rollBack: @escaping @Sendable (Release) async -> Void) { self.rollBack = rollBack }

    // MARK: Watching

    /// Begins to watch what has just become live, in the place of what was watched before.
    func watch(_ release: Release, _ plan: RolloutPlan) {
        stopWatching(release.target)
        guard let watch = release.watch, watch.until > .now else { return }
        let left = Duration.milliseconds(watch.until.milliseconds - Timestamp.now.milliseconds)
        let look = ReleaseWatch(
            plan, instances: release.instances, baseline: watch.baseline, routes: routes)
        let task = Task { [weak self] in
            let trouble = await look.run(for: left)
            guard !Task.isCancelled else { return }
            if let trouble { await self?.undo(release, trouble) } else { await self?.passed(release) }
        }
        watches[release.target] = (release.id, task)
    }

    func stopWatching(_ target: Target) { watches.removeValue(forKey: target)?.task.cancel() }

    /// A release that somebody deployed by hand and that went well lets pushes be deployed again.
    private func passed(_ release: Release) async {
        if watches[release.target]?.release == release.id { watches[release.target] = nil }
        await allowDeploys(after: release)
    }

    /// - Parameter trigger: what asked for it; nil: what asked for the release.
    func allowDeploys(after release: Release, by trigger: Release.Trigger? = nil) async {
        guard trigger ?? release.trigger == .manual else { return }
        do {
            try await store.update(release.target) { $0.deploysStopped = nil }
        } catch { logger.error("deploys cannot be allowed again", metadata: ["error": "\(error)"]) }
    }

    // MARK: Undo

    private func undo(_ release: Release, _ trouble: Failure) async {
        defer { if watches[release.target]?.release == release.id { watches[release.target] = nil } }
        do {
            try await rollout.gate.with(release.target) {
                // The next release came first.
                guard !Task.isCancelled else { return }
                // From here on there is no way back.
                try await Task { try await self.swapBack(release, trouble) }.value
            }
        } catch {
            logger.error(
                "a release cannot be undone",
                metadata: ["release": "\(release.upstream)", "error": "\(error)"])
        }
    }

    private func swapBack(_ release: Release, _ trouble: Failure) async throws {
        let target = release.target
        guard let live = try await store.live(target), live.id == release.id, let watch = live.watch,
            let earlier = try await store.release(target, watch.previous)
        else { return }
        let running = earlier.instances.web.filter(\.supervisor.isRunning)
        guard !running.isEmpty else { return await undoCold(live, to: earlier, trouble) }
        // Visitors first.
        try await routes.set(
            Deployment.route(
                earlier, to: running, ReleaseFiles(home: home, store: store).of(earlier)))
        let failure = await explained(live, earlier, trouble)
        try await persistently(for: nil) { [store] in
            try await store.undo(live, to: earlier, failure)
        }
        cancelTimer(earlier)
        for instance in running { rollout.lives.watch(instance) }
        tell(live, failure, "Release \(earlier.number) serves again: it was still running")
        await stopDeploys(target)
        let (rollout, store, restorer) = (rollout, store, restorer)
        let workers = earlier.instances.workers
        Task {
            // Those that were on their way out: after them, and after the bad one's, its workers are started again.
            if !workers.isEmpty { await rollout.stop(workers, of: earlier.manifest) }
            if live.manifest?.groups().contains(where: { $0.worker != nil }) == true
                || earlier.manifest?.groups().contains(where: { $0.worker != nil }) == true
            {
                await restorer.restore([earlier])
            }
        }
        Task {
            guard let bad = RolloutPlan.Previous(live) else { return }
            await rollout.retire(bad)
            _ = try? await store.update(live.id, step: "stopped after the undo") {
                $0.instances.remove(bad.instances)
            }
        }
    }

    /// What served before does not run any more: its artifact is rolled out again, and until then the bad release is
    /// all that there is.
    private func undoCold(_ live: Release, to earlier: Release, _ trouble: Failure) async {
        let failure = await explained(live, earlier, trouble)
        _ = try? await store.update(live.id, step: "undone: \(failure.code)") {
            $0.status = .failed
            $0.failure = failure
            $0.stage = nil
            $0.finishedAt = $0.finishedAt ?? .now
        }
        tell(live, failure, "Release \(earlier.number) is started again")
        await stopDeploys(live.target)
        await rollBack(earlier)
    }

    /// With what visitors saw of it.
    private func explained(_ release: Release, _ earlier: Release, _ trouble: Failure) async -> Failure {
        var failure = trouble
        failure.stage = .drain
        let counters = (try? await routes.counters()) ?? []
        if let seen = counters.first(where: { $0.upstream == release.upstream }) {
            failure.evidence.insert(
                "it took \(seen.requests) requests: \(seen.failed) failed, \(seen.errors) were answered with 500 or above, \(seen.delayed) waited",
                at: 0)
        }
        failure.evidence += SettingsChange.line(from: earlier, to: release).map { [$0] } ?? []
        failure.message += "; release \(earlier.number) is back"
        return failure
    }

    private func tell(_ release: Release, _ failure: Failure, _ rest: String) {
        let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
        log.reopen()
        log.append(.trouble("Release \(release.number) failed: \(failure.message)"))
        for line in failure.told { log.append(.detail(line)) }
        log.append(.detail(rest))
        log.close()
        logger.error(
            "release undone", metadata: ["release": "\(release.upstream)", "code": "\(failure.code)"])
    }

    /// After the second release in a row that was no good, pushes wait for a person. Rollbacks do not count: they bring
    /// nothing new, and the undo itself may be one.
    private func stopDeploys(_ target: Target) async {
        do {
            let last = try await store.releases(target, limit: 50).filter {
                $0.trigger != .rollback && ($0.status == .deployed || $0.status == .failed)
            }.prefix(2)
            guard last.count == 2, last.allSatisfy({ $0.failure?.isOfWatch == true }) else { return }
            let numbers = last.map { "\($0.number)" }.reversed().joined(separator: " and ")
            try await store.update(target) {
                $0.deploysStopped = "releases \(numbers) failed after they were live"
            }
        } catch { logger.error("deploys cannot be stopped", metadata: ["error": "\(error)"]) }
    }

    // MARK: Warm releases

    /// Keeps what was replaced and drained for as long as its settings say, or stops it.
    /// - Returns: whether it is kept.
    @discardableResult
    func keep(_ old: RolloutPlan.Previous, of target: Target) async -> Bool {
        // Also when the caller is cancelled: nobody else does it.
        await Task { await keepOrStop(old, of: target) }.value
    }

    private func keepOrStop(_ old: RolloutPlan.Previous, of target: Target) async -> Bool {
        let warm = Int64(old.manifest.rollout.warm.milliseconds)
        do {
            let replaced = try await persistently { [store] in
                try await store.keepWarm(
                    target, old.number,
                    until: warm > 0 ? Timestamp(milliseconds: Timestamp.now.milliseconds + warm) : nil)
            }
            switch replaced {
            case .kept(let release):
                schedule(release)
                // Those after it see to it themselves. Of those before it that nobody marked the drains are not waited for.
                let others = await left(target).filter { $0.number < release.number }
                for other in others where other.warmUntil != nil { await stop(other) }
                Task { for other in others where other.warmUntil == nil { await stop(other) } }
                return true
            case .surplus(let release): await stop(release)
            case .gone: break
            }
        } catch {
            logger.error(
                "a release that was replaced runs on",
                metadata: ["release": "\(old.upstream)", "error": "\(error)"])
        }
        return false
    }

    /// Stops a warm release when its time is over: also one that an earlier server kept.
    func schedule(_ release: Release) {
        guard let until = release.warmUntil else { return }
        cancelTimer(release)
        let left = max(0, until.milliseconds - Timestamp.now.milliseconds)
        timers[release.id] = Task { [weak self] in
            do { try await Task.sleep(for: .milliseconds(left)) } catch { return }
            await self?.expired(release)
        }
    }

    private func expired(_ release: Release) async {
        // Not to be cancelled by what it does.
        timers[release.id] = nil
        await stop(release)
    }

    private func cancelTimer(_ release: Release) { timers.removeValue(forKey: release.id)?.cancel() }

    /// Makes room for the next release: what is kept warm goes, unless it may still be needed by a watch.
    func makeRoom(_ target: Target) async {
        guard watches[target] == nil else { return }
        for release in await warm(target) { await stop(release) }
    }

    /// Ends all of a target that is watched, kept, or runs on without being either.
    /// - Throws: what the store says.
    func forget(_ target: Target) async throws {
        stopWatching(target)
        for release in try await store.leftReleases(target) { await stop(release) }
    }

    /// Ends what an earlier server left of a release that was replaced, when its requests have ended; or goes on keeping it.
    func takeOver(_ release: Release) async {
        if let until = release.warmUntil, until > .now { return schedule(release) }
        if let old = RolloutPlan.Previous(release) {
            _ = await rollout.drain(old, before: nil, upstream: release.upstream)
        }
        await stop(release)
    }

    /// Releases of a target that were replaced and are kept running.
    func warm(_ target: Target) async -> [Release] { await left(target).filter { $0.warmUntil != nil } }

    private func left(_ target: Target) async -> [Release] {
        do { return try await store.leftReleases(target) } catch {
            logger.error(
                "releases that still run cannot be looked for",
                metadata: ["target": "\(target)", "error": "\(error)"])
            return []
        }
    }

    private func stop(_ release: Release) async {
        cancelTimer(release)
        // Before the gate: a rollback does not wait for it.
        await rollout.waitForDrains(release.instances)
        // Inside the gate, so that nothing takes it back meanwhile.
        await rollout.gate.with(release.target) { [store, rollout] in
            let found = try? await persistently { try await store.release(release.target, release.number) }
            guard let now = found ?? nil, !now.live, !now.instances.isEmpty else { return }
            if let old = RolloutPlan.Previous(now) {
                await rollout.retire(old)
            } else {
                await rollout.stop(now.instances, of: nil)
            }
            _ = try? await persistently {
                try await store.update(now.id, step: "stopped") {
                    $0.instances.remove(now.instances)
                    $0.warmUntil = nil
                }
            }
        }
    }
}

extension Failure {
    /// Whether the release was live when it failed.
    var isOfWatch: Bool { code.hasPrefix("watch-") }
}
