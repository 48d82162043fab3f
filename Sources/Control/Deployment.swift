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
    /// Port of the proxy's listener, for the URL that people are told.
    let proxyPort: Int

    func perform(_ release: Release, _ recorder: ReleaseRecorder) async throws {
        await recorder.log(
            .step("Release \(release.number) of \(release.target), by \(release.trigger.rawValue)"))
        let prepared = try await pipeline.prepare(release, recorder)
        guard let current = try await store.release(release.target, release.number) else {
            throw Failure(code: "unknown-release", "the release is gone")
        }
        let previous = try await previous(release.target)
        let plan = plan(current, prepared, previous: previous)
        let outcome = try await rollout.roll(plan, journal: recorder)
        try await recorder.facts { $0.instances = outcome.instances }
        if let previous, let old = try await store.release(release.target, previous.number) {
            try await store.update(old.id) { $0.instances = [] }
        }
        if prepared.manifest.port != nil || !plan.hosts.isEmpty {
            await recorder.log(
                .step("Release \(release.number) is live at \(url(release.target, prepared.manifest))"))
        }
    }

    func plan(_ release: Release, _ prepared: Pipeline.Prepared, previous: RolloutPlan.Previous?)
        -> RolloutPlan
    {
        RolloutPlan(
            target: release.target, number: release.number, manifest: prepared.manifest,
            directory: prepared.directory,
            environment: environment.service(release, prepared.manifest, config: prepared.config),
            secrets: ProcessEnvironment.secrets(prepared.config),
            releaseDirectory: home.release(release.target, release.number),
            hosts: Deployment.hosts(release.target, prepared.manifest), previous: previous)
    }

    /// What serves now: the live release, unless the environment is suspended.
    func previous(_ target: Target) async throws -> RolloutPlan.Previous? {
        guard let live = try await store.live(target), let manifest = live.manifest, !live.instances.isEmpty
        else {
            return nil
        }
        return RolloutPlan.Previous(
            number: live.number, upstream: live.upstream, instances: live.instances, manifest: manifest)
    }

    /// Starts what was live before a reboot from its artifact, as the release it was.
    func startAgain(_ release: Release, _ logger: Logger) async {
        guard let manifest = release.manifest, let artifact = release.artifact else { return }
        let prepared = Pipeline.Prepared(
            manifest: manifest, directory: pipeline.directory(of: artifact), config: release.config ?? [:])
        let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
        do {
            try await store.update(release.id, step: "starting again") { $0.instances = [] }
            let outcome = try await rollout.roll(
                plan(release, prepared, previous: nil),
                journal: RestartJournal(store: store, id: release.id, log: log))
            try await store.update(release.id, step: "started again") { $0.instances = outcome.instances }
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

/// Records the instances of a release that is live already and is only started again.
private struct RestartJournal: RolloutJournal {
    let store: Store
    let id: Int64
    let log: ReleaseLog

    func enter(_ stage: Stage) async throws {}
    func starting(_ instance: Instance) async throws {
        try await store.update(id, step: "starting \(instance.name) again") { $0.instances.append(instance) }
    }
    func swapping() async throws {}
    func swapped() async throws {}
    func drained(_ receipt: Release.SwapReceipt) async throws {}
    func log(_ line: LogLine) async {}
}
