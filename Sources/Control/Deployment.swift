// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Logging
internal import Rollout
internal import Runner
internal import Synchronization
internal import Wire

/// One release from its start to live: what Runner prepares, Rollout makes live. The only place where the two meet.
struct Deployment: Sendable {
    let home: Home
    let store: Store
    let pipeline: Pipeline
    let rollout: RolloutController
    let environment: ProcessEnvironment
    let keeper: ReleaseKeeper
    let routes: Routes
    let restorer: Restorer
    /// Rollouts side by side, each from its start to its swap; see `Slots`.
    let rollouts: Slots
    let deadlines: Deadlines
    /// For the URL that people are told.
    let place: ServicePlace

    var files: ReleaseFiles { ReleaseFiles(home: home, store: store) }

    /// What waits for a slot.
    var waits: [Slots.Wait] { get async { await pipeline.builds.waits + rollouts.waits } }

    func perform(_ release: Release, _ recorder: ReleaseRecorder) async throws {
        await recorder.log(
            .step("Release \(release.number) of \(release.target), by \(release.trigger.rawValue)"))
        let prepared = try await pipeline.prepare(release, recorder)
        guard let current = try await store.release(release.target, release.number) else {
            throw Failure(code: "unknown-release", "the release is gone")
        }
        let plan = try await plan(current, prepared)
        await keeper.makeRoom(release.target)
        // Somebody waits for a rollback: it is let in at once.
        if release.trigger != .rollback {
            let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
            // That it waits for others is no fault of the step before.
            await deadlines.leave(release.id)
            try await rollouts.take(release) { log.append(.detail($0)) }
        }
        guard !plan.names.isEmpty || plan.takesRequests else {
            throw Failure(
                stage: .start, code: "nothing-to-run",
                "no process type of this release has an instance to run",
                hints: [
                    .init(
                        "run what kinto.json says",
                        command:
                            "kinto scale \(release.target.words) \(plan.groups.first?.name ?? "web")=default")
                ])
        }
        let previous: RolloutPlan.Previous?
        do {
            previous = try await roll(plan, recorder)
            await rollouts.give(release)
        } catch {
            await rollouts.give(release)
            throw error
        }
        if let previous {
            let isKept = await keeper.keep(previous, of: release.target)
            let warm = previous.manifest.rollout.warm
            let words =
                isKept
                ? " and kept running for \(warm): kinto rollback \(release.target.words) takes it back at once"
                : previous.instances.isEmpty ? "" : " and stopped"
            await recorder.log(.step("Release \(previous.number) drained\(isKept ? "," : "")\(words)"))
        }
        let done = try await persistently { [store] in try await store.release(release.target, release.number)
        }
        guard let done, done.live else { return }
        try await runAfter(done, prepared, recorder)
        await recorder.log(.step(isLive(done, prepared.manifest)))
        if let watch = done.watch {
            await recorder.log(
                .detail(
                    "watched for \(prepared.manifest.rollout.watch): trouble brings release \(watch.previous) back"
                ))
        } else {
            await keeper.allowDeploys(after: done)
        }
    }

    /// `release.after`. What goes wrong with it is told, and undoes nothing.
    private func runAfter(
        _ release: Release, _ prepared: Pipeline.Prepared, _ recorder: ReleaseRecorder
    ) async throws {
        do { try await pipeline.runAfter(prepared, release, recorder) } catch let failure as Failure {
            await recorder.log(.trouble("\(failure.message) (\(failure.code)); the release stays live"))
            for line in failure.told { await recorder.log(.detail(line)) }
        }
    }

    /// The same of one that an earlier server made live.
    func finishAfter(_ release: Release) async {
        guard release.isAfterDue, let manifest = release.manifest, let artifact = release.artifact else {
            return
        }
        let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
        log.reopen()
        let recorder = ReleaseRecorder(store: store, id: release.id, log: log, deadlines: deadlines)
        let prepared = Pipeline.Prepared(
            manifest: manifest, directory: pipeline.directory(of: artifact), config: release.config ?? [:])
        // Not when it is left to the next server.
        guard (try? await runAfter(release, prepared, recorder)) != nil else { return }
        _ = try? await persistently { [store] in
            try await store.update(release.id) {
                $0.isAfterDue = false
                $0.jobs = [:]
            }
        }
        log.close()
    }

    private func roll(_ plan: RolloutPlan, _ recorder: ReleaseRecorder) async throws
        -> RolloutPlan.Previous?
    {
        let stopped = Stopped()
        let journal = RolloutRecord(
            recorder: recorder, store: store, keeper: keeper, rollouts: rollouts, plan: plan,
            deployment: self, stopped: stopped)
        do {
            try await standDown(plan, recorder, stopped)
            let previous = try await rollout.roll(plan, journal: journal)
            await restorer.free(plan.target)
            return previous
        } catch {
            // Also after an abort.
            await Task {
                await restorer.free(plan.target)
                guard stopped.release != nil, let live = try? await store.live(plan.target) else { return }
                await recorder.log(.step("Starting release \(live.number) again"))
                await restorer.restore([live])
            }.value
            throw error
        }
    }

    /// Instances of these types that serve now are stopped, and not started again before the new ones are live or have
    /// failed.
    func clear(
        _ types: Set<String>, for plan: RolloutPlan, _ recorder: ReleaseRecorder, _ stopped: Stopped
    ) async throws {
        await restorer.hold(plan.target, types)
        try await rollout.gate.with(plan.target) {
            guard let live = try await store.live(plan.target) else { return }
            stopped.set(live.number)
            let old = live.instances.filter { types.contains($0.type) }
            if !old.isEmpty {
                let names = old.map(\.name).joined(separator: ", ")
                await recorder.log(
                    .step("Stopping \(names) of release \(live.number) first (overlap never)"))
                await rollout.stop(old, of: live.manifest)
                try await store.update(live.id, step: "stopped \(names) before the next") {
                    $0.instances.remove(old)
                }
            }
            await rollout.stop(
                await restorer.takeLost(of: live, types), of: live.manifest, longest: .seconds(0))
            try await stopReplaced(plan.target)
        }
    }

    /// Workers of releases that were replaced do not run beside those of the one that is live. They are stopped at the
    /// swap; this is for a server that died between the two, and for swaps that only tell the proxy.
    func stopReplaced(_ target: Target) async throws {
        for release in try await store.leftReleases(target) where !release.instances.workers.isEmpty {
            let workers = release.instances.workers
            await rollout.stop(workers, of: release.manifest)
            try await store.update(release.id, step: "stopped its workers") { $0.instances.remove(workers) }
        }
    }

    /// The strategy "recreate": what serves is stopped before the new release starts, and requests wait meanwhile.
    private func standDown(
        _ plan: RolloutPlan, _ recorder: ReleaseRecorder, _ stopped: Stopped
    ) async throws {
        guard plan.manifest.rollout.strategy == .recreate else { return }
        try await keeper.forget(plan.target)
        await restorer.hold(plan.target, nil)
        try await rollout.gate.with(plan.target) {
            guard let live = try await store.live(plan.target) else { return }
            let hasLost = await restorer.hasLost(live)
            guard !live.instances.isEmpty || hasLost else { return }
            try Task.checkCancellation()
            stopped.set(live.number)
            await recorder.log(
                .step("Stopping release \(live.number) first (strategy recreate); requests wait meanwhile"))
            if live.manifest?.takesRequests == true {
                var route = Deployment.route(live, to: [], nil)
                route.hold = RoutePolicy.longHold.milliseconds
                try await routes.set(route)
            }
            if let serving = RolloutPlan.Previous(live) { await rollout.retire(serving) }
            await endLost(live)
            try await store.update(live.id, step: "stopped before the next") {
                $0.instances.remove(live.instances)
            }
        }
    }

    func plan(_ release: Release, _ prepared: Pipeline.Prepared) async throws -> RolloutPlan {
        let scale = try await store.environment(release.target)?.wanted ?? [:]
        return RolloutPlan(
            target: release.target, number: release.number, manifest: prepared.manifest,
            directory: prepared.directory,
            environment: environment.service(release, prepared.manifest, config: prepared.config),
            secrets: ProcessEnvironment.secrets(prepared.config),
            releaseDirectory: home.release(release.target, release.number),
            hosts: Deployment.hosts(release.target, prepared.manifest),
            groups: prepared.manifest.groups(scale: scale), files: try await files.of(release))
    }

    /// That of a release that was rolled out before.
    func plan(_ release: Release) async throws -> RolloutPlan? {
        guard let manifest = release.manifest, let artifact = release.artifact else { return nil }
        return try await plan(
            release,
            Pipeline.Prepared(
                manifest: manifest, directory: pipeline.directory(of: artifact), config: release.config ?? [:]
            ))
    }

    /// The route by which requests reach a release's instances and its files.
    static func route(_ release: Release, to instances: [Instance], _ files: StaticFiles?)
        -> RoutingTable.Route
    {
        let manifest = release.manifest
        return RoutingTable.Route(
            identifier: release.target.description,
            hosts: manifest.map { hosts(release.target, $0) } ?? [release.target.ownHost],
            port: manifest?.port,
            upstream: instances.isEmpty && files?.isSite != true
                ? nil : .init(identifier: release.upstream, ports: instances.ports, files: files))
    }

    static func hosts(_ target: Target, _ manifest: Manifest) -> [String] {
        [target.ownHost] + manifest.hosts
    }

    /// The last step of its log.
    func isLive(_ release: Release, _ manifest: Manifest) -> String {
        "Release \(release.number) is live\(url(release.target, manifest).map { " at \($0)" } ?? "")"
    }

    /// nil: it takes no requests.
    func url(_ target: Target, _ manifest: Manifest) -> String? {
        if !manifest.takesRequests { return nil }
        return place.url(target, own: manifest.port)
    }
}
