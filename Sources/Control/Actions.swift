// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation
internal import HookReceiver
internal import KintoCore
internal import Logging
internal import Rollout
internal import Runner
internal import Wire

/// What the server does for people, whatever door they come through.
struct Actions: Sendable {
    let options: ServeOptions
    let home: Home
    let store: Store
    let remotes: RemoteRepositories
    let lanes: Lanes
    let git: GitExecutor
    let rollout: RolloutController
    let routes: Routes
    let proxy: ProxyProcess
    let deployment: Deployment
    let keeper: ReleaseKeeper
    let deadlines: Deadlines
    let containment: Containment
    let logs = LogWatch()
    let refusals: Refusals
    let traffic: TrafficLog
    let retention: Retention
    let accounts: Accounts
    let audit: AuditLog
    let logger: Logger
    let previews = PreviewEnds()

    /// Decides on webhook deliveries.
    var webhooks: WebhookDoor { WebhookDoor(actions: self, refusals: refusals) }

    /// What hooks left while there was no server. It came before whatever asks now, and is taken up before it.
    var spool: SpoolIntake { SpoolIntake(self, logger: logger) }

    func require(_ target: Target) async throws {
        guard try await store.environment(target) != nil else {
            let isKnown = try await store.service(target.service) != nil
            throw Failure(
                code: "unknown-service",
                "there is no service '\(target.service)' with an environment '\(target.environment)'",
                hints: [
                    .init(
                        "see what there is",
                        command: isKnown ? "kinto environment list \(target.service)" : "kinto service list")
                ])
        }
    }

    /// What a rollback would do.
    struct RollbackPlan: Sendable {
        let chosen: Release
        let live: Release?
        /// Names of variables, each after `+`, `-` or `~`.
        let difference: [String]
    }

    /// - Parameter number: nil: the one that was live before what is live now.
    func rollbackPlan(_ target: Target, to number: Int?, currentConfig: Bool) async throws -> RollbackPlan {
        try await require(target)
        let live = try await store.live(target)
        let chosen: Release
        if let number {
            guard let found = try await store.release(target, number) else {
                throw Failure(
                    code: "unknown-release", "there is no release \(number) of \(target)",
                    hints: [.init("see those that can come back", command: "kinto releases \(target.words)")])
            }
            guard found.isProven else {
                throw Failure(
                    code: "not-rollbackable",
                    "release \(number) is \(found.status.rawValue): only a release that was live can come back",
                    hints: [.init("see those that can", command: "kinto releases \(target.words)")])
            }
            chosen = found
        } else {
            guard let before = try await store.proven(target, before: live?.number ?? .max) else {
                throw Failure(
                    code: "not-rollbackable",
                    live.map {
                        "release \($0.number) is the first of \(target) that was live: there is nothing to go back to"
                    }
                        ?? "\(target) has no deployed release: there is nothing to go back to")
            }
            chosen = before
        }
        let today = try await store.config(target)
        return RollbackPlan(
            chosen: chosen, live: live,
            difference: SettingsChange.marks(
                from: live?.config ?? today, to: currentConfig ? today : chosen.config ?? today))
    }

    /// Makes an earlier successful release live again, as a new one.
    /// - Parameter by: who asks, as `Principal.name`; so everywhere.
    func rollback(_ target: Target, to number: Int?, currentConfig: Bool, by: String?) async throws -> (
        Release, [String]
    ) {
        let plan = try await rollbackPlan(target, to: number, currentConfig: currentConfig)
        var new = try again(plan.chosen, currentConfig: currentConfig)
        new.by = by
        if !currentConfig, let release = try await takeBack(plan.chosen, as: new) {
            return (release, plan.difference)
        }
        return (try await accept(new), plan.difference)
    }

    private func again(_ chosen: Release, currentConfig: Bool) throws -> NewRelease {
        guard let artifact = chosen.artifact, artifact.available, let manifest = chosen.manifest else {
            throw Failure(
                code: "artifact-missing",
                "the artifact of release \(chosen.number) is not kept any more: only the newest are (see kinto prune)",
                hints: [
                    .init("see those that can come back", command: "kinto releases \(chosen.target.words)"),
                    .init(
                        "or build its commit again",
                        command:
                            "kinto deploy \(chosen.target.words)\(chosen.commit.map { " --ref \($0)" } ?? "")"
                    ),
                ])
        }
        var new = NewRelease(
            target: chosen.target, commit: chosen.commit, branch: chosen.branch, trigger: .rollback)
        new.rollbackOf = chosen.number
        new.artifact = artifact
        new.manifest = manifest
        new.config = currentConfig ? nil : chosen.config
        new.subject = chosen.subject
        new.author = chosen.author
        return new
    }

    /// The automatic rollback to a release whose instances are gone.
    func bringBack(_ earlier: Release) async {
        do { _ = try await accept(again(earlier, currentConfig: false)) } catch {
            logger.error(
                "an earlier release cannot be brought back",
                metadata: ["release": "\(earlier.upstream)", "error": "\(error)"])
        }
    }

    static func refuseShort(_ name: String, _ secret: String) throws {
        guard secret.utf8.count < 6 else { return }
        throw Failure(
            code: "invalid-config",
            "the secret \(name) has fewer than 6 bytes: it can be guessed, and could not be kept out of logs",
            hints: [.init("take a longer one, or set it without --secret")])
    }

    func configure(
        _ target: Target, set: [String: String], secret: Bool = false, unset: [String], by: String?
    ) async throws -> Release? {
        try await require(target)
        for name in set.keys {
            if let problem = VariableName.problem(name) { throw Failure(code: "invalid-config", problem) }
        }
        guard !set.values.contains(where: { $0.utf8.contains(0) || $0.utf8.count > 64 << 10 }) else {
            throw Failure(code: "invalid-config", "a value holds a NUL byte or is larger than 64 KiB")
        }
        if secret, !set.isEmpty { try await refuseStranger(target, "a secret would be in strangers' hands") }
        if secret { for (name, value) in set { try Actions.refuseShort(name, value) } }
        var again = try await taken(from: store.live(target), target, trigger: .config)
        again?.by = by
        let new = again
        guard
            let release = try await store.changeConfig(
                target, set: set, secret: secret, unset: unset, release: new)
        else { return nil }
        try? Files.makeDirectories(home.release(target, release.number))
        ReleaseLog(path: home.releaseLog(target, release.number)).append(
            .detail("Release \(release.number) is queued"))
        await lanes.wake(target)
        return release
    }

    private func taken(from live: Release?, _ target: Target, trigger: Release.Trigger) -> NewRelease? {
        guard let live, let artifact = live.artifact, let manifest = live.manifest else { return nil }
        var new = NewRelease(target: target, commit: live.commit, branch: live.branch, trigger: trigger)
        new.artifact = artifact
        new.manifest = manifest
        new.subject = live.subject
        new.author = live.author
        return new
    }

    func suspend(_ target: Target) async throws {
        try await require(target)
        await keeper.stopWatching(target)
        try await rollout.gate.with(target) {
            guard let live = try await store.live(target),
                try await store.environment(target)?.suspended == false || !live.instances.isEmpty
            else {
                throw Failure(
                    code: "nothing-live", "nothing of \(target) runs",
                    hints: [
                        .init("if it is suspended, start it again", command: "kinto resume \(target.words)")
                    ])
            }
            try await store.update(target) { $0.suspended = true }
            try await setAside(live)
            try await stop(live, step: "suspended")
        }
        // Afterwards: what was replaced just now may have requests for a while.
        try await keeper.forget(target)
        try await stopScheduled(target)
    }

    /// Requests find nothing where it was. Inside the gate.
    func setAside(_ live: Release) async throws {
        guard let manifest = live.manifest, manifest.takesRequests else { return }
        try await routes.set(
            .init(
                identifier: live.target.description, hosts: Deployment.hosts(live.target, manifest),
                port: manifest.port))
    }

    /// Ends what served, with nothing in its place. Inside the gate.
    func stop(_ live: Release, step: String) async throws {
        if let serving = RolloutPlan.Previous(live) { await rollout.retire(serving) }
        await deployment.endLost(live)
        try await store.update(live.id, step: step) { $0.instances.remove(live.instances) }
    }

    /// - Returns: nil when it was only paused.
    func resume(_ target: Target, by: String?) async throws -> Release? {
        try await require(target)
        if let environment = try await store.environment(target), environment.paused {
            try await setPaused(target, false)
            if !environment.suspended { return nil }
        }
        guard let environment = try await store.environment(target), environment.suspended,
            let new = taken(from: try await store.live(target), target, trigger: .manual)
        else { throw Failure(code: "not-suspended", "\(target) is neither suspended nor paused") }
        var release = new
        release.trigger = .config
        release.by = by
        return try await accept(release)
    }

    static func random() -> String {
        SymmetricKey(size: .bits256).withUnsafeBytes { hexadecimal($0) }
    }

    static func hash(_ token: String) -> String {
        hexadecimal(SHA256.hash(data: Data(token.utf8)))
    }
}
