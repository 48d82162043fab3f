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
    let logger: Logger
    /// Rollouts side by side, each from its start to its swap; see `Slots`.
    let rollouts: Slots
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
                        ? "Release \(previous.number) drained, and kept running for \(warm): kinto rollback \(release.target.service) takes it back at once"
                        : "Release \(previous.number) drained and stopped"))
        }
        guard let done = try await store.release(release.target, release.number), done.live else { return }
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
                await Task { await startAgain(stopped, logger) }.value
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
            hosts: manifest.map { hosts(release.target, $0) } ?? ["\(release.target.label).localhost"],
            port: manifest?.port,
            upstream: instances.isEmpty
                ? nil : .init(identifier: release.upstream, ports: instances.map(\.port)))
    }

    /// Starts what was live before a reboot from its artifact, as the release it was.
    func startAgain(_ release: Release, _ logger: Logger) async {
        let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
        do {
            guard let plan = try await plan(release) else { return }
            try await store.update(release.id, step: "starting again") { $0.instances = [] }
            _ = try await rollout.roll(plan, journal: RestartJournal(store: store, id: release.id, log: log))
            try await store.update(release.id, step: "started again") { _ in }
        } catch {
            logger.error(
                "release cannot be started again",
                metadata: ["release": "\(release.upstream)", "error": "\(error)"])
        }
    }

    static func hosts(_ target: Target, _ manifest: Manifest) -> [String] {
        ["\(target.label).localhost"] + manifest.hosts
    }

    func url(_ target: Target, _ manifest: Manifest) -> String {
        if let port = manifest.port { return "http://127.0.0.1:\(port)/" }
        return "http://\(target.label).localhost\(proxyPort == 80 ? "" : ":\(proxyPort)")/"
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
        guard let release = try await store.release(plan.target, plan.number) else { return }
        // The drain may take its time.
        await rollouts.give(release)
        await keeper.watch(release, plan)
    }
    func drained(_ receipt: Release.SwapReceipt) async throws { try await recorder.drained(receipt) }
    func log(_ line: LogLine) async { await recorder.log(line) }
}

/// Records the instances of a release that is live already and is only started again.
private struct RestartJournal: RolloutJournal {
    let store: Store
    let id: Int64
    let log: ReleaseLog

    func enter(_ stage: Stage) async throws {}
    func starting(_ instance: Instance) async throws {
        try await store.update(id, step: "starting \(instance.name) again") { $0.instances.append(instance) }
    }
    func swapping() async throws -> RolloutPlan.Previous? { nil }
    func swapped(from previous: RolloutPlan.Previous?, baseline: Double) async throws {}
    func drained(_ receipt: Release.SwapReceipt) async throws {}
    func log(_ line: LogLine) async {}
}
