// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Logging
internal import Rollout
internal import Runner
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
    /// Port of the proxy's listener, for the URL that people are told.
    let proxyPort: Int

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
            await recorder.log(
                .step(
                    isKept
                        ? "Release \(previous.number) drained, and kept running for \(warm): kinto rollback \(release.target.words) takes it back at once"
                        : "Release \(previous.number) drained and stopped"))
        }
        let done = try await persistently { [store] in try await store.release(release.target, release.number)
        }
        guard let done, done.live else { return }
        await recorder.log(
            .step("Release \(release.number) is live at \(url(release.target, prepared.manifest))"))
        if let watch = done.watch {
            await recorder.log(
                .detail(
                    "watched for \(prepared.manifest.rollout.watch): trouble brings release \(watch.previous) back"
                ))
        } else {
            await keeper.allowDeploys(after: done)
        }
    }

    private func roll(_ plan: RolloutPlan, _ recorder: ReleaseRecorder) async throws
        -> RolloutPlan.Previous?
    {
        let stopped = try await standDown(plan, recorder)
        let journal = RolloutRecord(
            recorder: recorder, store: store, keeper: keeper, rollouts: rollouts, plan: plan,
            stopped: stopped?.number)
        do { return try await rollout.roll(plan, journal: journal) } catch {
            if let stopped {
                await recorder.log(.step("Starting release \(stopped.number) again"))
                // Also after an abort.
                await Task { await restorer.restore([stopped]) }.value
            }
            throw error
        }
    }

    /// The strategy "recreate": what serves is stopped before the new release starts, and requests wait meanwhile.
    /// - Returns: what was stopped, to be started again if the new one fails.
    private func standDown(_ plan: RolloutPlan, _ recorder: ReleaseRecorder) async throws -> Release? {
        guard plan.manifest.rollout.strategy == .recreate else { return nil }
        await keeper.forget(plan.target)
        return try await rollout.gate.with(plan.target) {
            guard let live = try await store.live(plan.target), let serving = RolloutPlan.Previous(live)
            else {
                return nil
            }
            try Task.checkCancellation()
            await recorder.log(
                .step("Stopping release \(live.number) first (strategy recreate); requests wait meanwhile"))
            var route = Deployment.route(live, to: [])
            route.hold = RoutePolicy.longHold.milliseconds
            try await routes.set(route)
            await rollout.retire(serving)
            try await store.update(live.id, step: "stopped before the next") { $0.instances = [] }
            return live
        }
    }

    func plan(_ release: Release, _ prepared: Pipeline.Prepared) async throws -> RolloutPlan {
        let scale = try await store.environment(release.target)?.scale
        return RolloutPlan(
            target: release.target, number: release.number, manifest: prepared.manifest,
            directory: prepared.directory,
            environment: environment.service(release, prepared.manifest, config: prepared.config),
            secrets: ProcessEnvironment.secrets(prepared.config),
            releaseDirectory: home.release(release.target, release.number),
            hosts: Deployment.hosts(release.target, prepared.manifest),
            instances: scale ?? prepared.manifest.rollout.instances)
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

    /// The route by which requests reach a release's instances.
    static func route(_ release: Release, to instances: [Instance]) -> RoutingTable.Route {
        let manifest = release.manifest
        return RoutingTable.Route(
            identifier: release.target.description,
            hosts: manifest.map { hosts(release.target, $0) } ?? [release.target.ownHost],
            port: manifest?.port,
            upstream: instances.isEmpty
                ? nil : .init(identifier: release.upstream, ports: instances.map(\.port)))
    }

    /// Starts the instances of a live release that are gone, from its artifact and as the release it is.
    /// - Throws: `CancellationError` when it is not live any more; then nothing more of it runs.
    func restore(_ release: Release) async throws {
        guard let plan = try await plan(release) else { return }
        let journal = RestartJournal(store: store, release: release)
        let recorded = try await store.release(release.target, release.number)?.instances ?? []
        let running = try await store.update(release.id, step: "starting again") {
            $0.instances.removeAll { !$0.supervisor.isRunning }
        }.instances
        // What a supervisor left that was killed goes on serving until there are others.
        let lost = recorded.filter { instance in
            !running.contains(instance) && instance.supervisor.boot == ProcessTable.bootIdentifier
        }
        if running.isEmpty {
            _ = try await rollout.roll(plan, journal: journal)
        } else {
            let names = Set(running.map(\.name))
            var started: [Instance] = []
            do {
                let missing = (1...max(1, plan.instances)).filter { !names.contains("web.\($0)") }
                try await rollout.raise(plan, missing, journal) { started.put($0) }
                try await rollout.gate.with(release.target) { [started] in
                    _ = try await journal.swapping()
                    try await routes.set(Deployment.route(release, to: running + started))
                }
            } catch {
                await rollout.stop(started, grace: plan.manifest.rollout.stop.grace)
                _ = try? await store.update(release.id) { [started] release in
                    release.instances.removeAll(where: started.contains)
                }
                throw error
            }
        }
        if !lost.isEmpty { await rollout.stop(lost, grace: .seconds(0)) }
        try await store.update(release.id, step: "started again") { _ in }
    }

    static func hosts(_ target: Target, _ manifest: Manifest) -> [String] {
        [target.ownHost] + manifest.hosts
    }

    func url(_ target: Target, _ manifest: Manifest) -> String {
        if let port = manifest.port { return "http://127.0.0.1:\(port)/" }
        return "http://\(target.ownHost)\(proxyPort == 80 ? "" : ":\(proxyPort)")/"
    }
}

/// Records a rollout, and has the release watched from the moment it is live.
private struct RolloutRecord: RolloutJournal {
    let recorder: ReleaseRecorder
    let store: Store
    let keeper: ReleaseKeeper
    let rollouts: Slots
    let plan: RolloutPlan
    /// A release that was stopped before this one started.
    let stopped: Int?

    func enter(_ stage: Stage) async throws { try await recorder.enter(stage) }
    func starting(_ instance: Instance) async throws { try await recorder.starting(instance) }
    func swapping() async throws -> RolloutPlan.Previous? {
        try await recorder.swapping()
        return try await store.live(plan.target).flatMap(RolloutPlan.Previous.init)
    }
    func swapped(from previous: RolloutPlan.Previous?, baseline: Double) async throws {
        let time = Int64(plan.manifest.rollout.watch.milliseconds)
        let watch = (previous?.number ?? stopped).flatMap { number in
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

/// Records the instances of a release that is live already and is only started again.
private struct RestartJournal: RolloutJournal {
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
    func swapped(from previous: RolloutPlan.Previous?, baseline: Double) async throws {}
    func drained(_ receipt: Release.SwapReceipt) async throws {}
    func log(_ line: LogLine) async {}
}
