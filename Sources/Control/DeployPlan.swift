// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner
internal import Wire

/// What a deploy would do now, as the API and `kinto deploy --plan` show it.
struct DeployPlan: Encodable, Sendable {
    enum Verdict: String, Encodable, Sendable {
        /// It would be deployed, as far as is known.
        case deploys
        /// It serves already: nothing would be done.
        case alreadyLive = "already-live"
        /// Something newer is live, or waits.
        case superseded
        /// It would be refused before it is queued.
        case refused
        /// It would fail before its build.
        case fails
    }

    struct Queue: Encodable, Sendable {
        /// How many are before it.
        var position = 0
        /// Numbers: those that it waits for, those that wait and would be replaced, the one that would be ended.
        var after: [Int] = []
        var replaces: [Int] = []
        var ends: Int?
    }

    struct Artifact: Encodable, Sendable {
        let reused: Bool
        let from: Int?
        let reason: String
    }

    struct Step: Encodable, Sendable {
        let stage: Stage
        let what: String
        /// Milliseconds: the median of the last ten; nil: there is none yet, or visitors decide.
        let expected: Double?
    }

    let service, environment, branch: String
    var commit, subject: String?
    var verdict = Verdict.deploys
    /// Of every verdict but `deploys`.
    var reason: String?
    var live: Int?
    var queue = Queue()
    /// nil: not known before the fetch.
    var artifact: Artifact?
    var steps: [Step] = []
    /// Milliseconds, of all steps that are known.
    var expected: Double?
    var url: String?
    var failure: Failure?
    var warnings: [Warning] = []

    init(_ target: Target, branch: String) {
        service = target.service.description
        environment = target.environment.description
        self.branch = branch
    }
}

/// Puts a plan together.
struct DeployPlanner: Sendable {
    let actions: Actions
    let target: Target

    private var deployment: Deployment { actions.deployment }

    /// Nothing is queued, fetched or changed; a remote repository is asked for its references.
    /// - Throws: `Failure` of code `unknown-service`, `ref-needed`, `unknown-ref`, `branch-missing`, `fetch-…`.
    func plan(_ wish: DeployWish) async throws -> DeployPlan {
        guard let environment = try await actions.store.environment(target),
            let service = try await actions.store.service(target.service)
        else { throw Failure(code: "unknown-service", "there is no service '\(target.service)'") }
        let new = try await actions.chosen(wish.ref, environment, service)
        let reference = RefName.full(new.branch)
        var commit = new.commit
        if commit == nil { commit = try await actions.remotes.tip(service, reference: reference) }
        var plan = DeployPlan(target, branch: new.branch)
        plan.commit = commit?.description
        let live = try await actions.store.live(target)
        plan.live = live?.number
        if environment.isProtected, wish.confirmation != "\(target)" {
            plan.verdict = .refused
            plan.reason = "\(target) is protected: a deploy of it is confirmed by its name"
            return plan
        }
        let open = try await actions.store.openReleases(target)
        guard let commit else { return plan }
        if open.isEmpty, !environment.suspended, !wish.noCache, !wish.force, let live,
            Store.serves(live, commit, config: try await actions.store.config(target))
        {
            plan.verdict = .alreadyLive
            plan.reason = Store.alreadyLive(live)
            plan.subject = live.subject
            return plan
        }
        try await queue(&plan, new, commit, service, open)
        guard plan.verdict == .deploys else { return plan }
        var release = Release(
            id: 0, target: target, number: 0, commit: commit, branch: new.branch, trigger: .manual,
            createdAt: .now)
        release.noCache = wish.noCache
        release.force = wish.force
        let times = try await actions.store.stageTimes(target).usual(least: 1)
        guard await deployment.pipeline.holds(commit, service) else {
            plan.steps = steps(
                service, new.branch, nil, scale: environment.wanted, live: live, reused: nil, times)
            plan.reason = "its settings are read when it is fetched: what follows is as it was the last times"
            plan.expected = plan.steps.compactMap(\.expected).reduce(0, +)
            return plan
        }
        let outlook = try await deployment.pipeline.outlook(release, commit, of: service)
        plan.subject = outlook.commit.subject
        plan.warnings = outlook.warnings
        plan.failure = outlook.failure
        if let superseded = outlook.superseded {
            (plan.verdict, plan.reason) = (.superseded, superseded.reason)
            return plan
        }
        if let failure = outlook.failure {
            (plan.verdict, plan.reason) = (.fails, failure.message)
            return plan
        }
        guard let manifest = outlook.manifest else { return plan }
        plan.artifact = artifact(outlook, wish, live)
        plan.url = deployment.url(target, manifest)
        plan.steps = steps(
            service, new.branch, manifest, scale: environment.wanted, live: live, reused: outlook.reused,
            times
        )
        plan.expected = plan.steps.compactMap(\.expected).reduce(0, +)
        return plan
    }

    private func queue(
        _ plan: inout DeployPlan, _ new: NewRelease, _ commit: CommitID, _ service: RegisteredService,
        _ open: [Release]
    ) async throws {
        var new = new
        new.commit = commit
        new.contained = await actions.contained(new, in: Set(open.compactMap(\.commit)))
        let ruling = Ruling(new, among: open, service.queue)
        if let descendant = ruling.descendant {
            plan.verdict = .superseded
            plan.reason = "release \(descendant.number), which waits, contains this commit"
            return
        }
        plan.queue.ends = ruling.cancelled?.number
        plan.queue.replaces = ruling.superseded.map(\.number)
        plan.queue.after = open.map(\.number).filter { !plan.queue.replaces.contains($0) }
        plan.queue.position = plan.queue.after.count
    }

    private func artifact(_ outlook: Pipeline.Outlook, _ wish: DeployWish, _ live: Release?)
        -> DeployPlan.Artifact
    {
        if let reused = outlook.reused {
            return .init(reused: true, from: reused, reason: "same tree and build settings")
        }
        return .init(
            reused: false, from: nil,
            reason: wish.noCache
                ? "built anew, as was asked for"
                : live == nil
                    ? "nothing was live yet"
                    : "no release that was live has this tree, these build settings and variables")
    }

    /// - Parameter manifest: nil: not known before the fetch.
    private func steps(
        _ service: RegisteredService, _ branch: String, _ manifest: Manifest?, scale: [String: Int],
        live: Release?,
        reused: Int?,
        _ times: [String: Double]
    ) -> [DeployPlan.Step] {
        func step(_ stage: Stage, _ what: String) -> DeployPlan.Step {
            DeployPlan.Step(stage: stage, what: what, expected: times[stage.rawValue])
        }
        var steps = [
            step(
                .fetch,
                service.source == .remote
                    ? "fetch \(branch) from \(Credentials.redacted(service.repository))"
                    : "read \(branch) where it is")
        ]
        let known = manifest ?? Manifest(start: nil)
        if let reused {
            steps.append(step(.store, "take the artifact of release \(reused)"))
        } else {
            steps.append(
                step(
                    .build,
                    manifest == nil
                        ? "check out and build"
                        : known.build.command ?? "check out; there is nothing to build"))
            steps.append(
                step(
                    .store,
                    "keep \(known.build.output == "." ? "all of it" : known.build.output) as the artifact"))
        }
        if let command = known.release?.command {
            steps.append(DeployPlan.Step(stage: .store, what: "release command: \(command)", expected: nil))
        }
        let groups = known.groups(scale: scale).filter { $0.instances > 0 }
        let stops = known.rollout.strategy == .recreate && live != nil
        steps.append(
            step(
                .start,
                (stops ? "stop release \(live?.number ?? 0), then start " : "start ")
                    + (manifest == nil
                        ? "its instances"
                        : groups.map {
                            "\($0.instances) \($0.worker == nil ? "instance" : $0.name)\($0.instances == 1 ? "" : "s"): \($0.command)"
                        }.joined(separator: "; "))))
        steps.append(
            step(
                .probe,
                manifest == nil
                    ? "until it is healthy"
                    : "until \(known.probe.path.map { "GET \($0)" } ?? "a connection") succeeds, at most \(known.probe.deadline)"
            ))
        steps.append(step(.swap, "requests go to the new release"))
        if let live, !stops {
            let rollout = live.manifest?.rollout ?? known.rollout
            steps.append(
                DeployPlan.Step(
                    stage: .drain,
                    what:
                        "release \(live.number) ends its requests, at most \(rollout.drain), and is kept warm for \(rollout.warm)",
                    expected: nil))
        }
        return steps
    }
}
