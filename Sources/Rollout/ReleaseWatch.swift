// SPDX-License-Identifier: Apache-2.0
public import KintoCore
internal import Wire

/// Looks at a release that has just become live: its processes, its probe, and what visitors are answered, as the
/// proxy sees it.
public struct ReleaseWatch: Sendable {
    let plan: RolloutPlan
    let instances: [Instance]
    /// The share of answers with 500 and above that the release before it gave, 0 to 1.
    let baseline: Double
    let routes: Routes

    /// Probes that must fail one after the other, and the pause between them.
    static let failedProbes = 3
    static let probePause = Duration.seconds(1)
    /// How often the proxy's counters are read, and over how many readings a share is taken.
    static let countPause = Duration.milliseconds(250)
    static let counts = 40
    /// Fewer errors than these are no sign of anything.
    static let fewErrors: UInt64 = 5

    public init(_ plan: RolloutPlan, instances: [Instance], baseline: Double, routes: Routes) {
        self.plan = plan
        self.instances = instances
        self.baseline = baseline
        self.routes = routes
    }

    /// - Returns: what is wrong, as soon as it is seen; nil when the time is over, or the task is cancelled.
    public func run(for time: Duration) async -> Failure? {
        await withTaskGroup(of: Failure?.self) { group in
            group.addTask {
                try? await Task.sleep(for: time)
                return nil
            }
            for instance in instances {
                group.addTask { await end(of: instance) }
                if let port = instance.port { group.addTask { await probes(instance, port) } }
            }
            if plan.takesRequests { group.addTask { await errors() } }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    /// A process that ends is started again by its supervisor, but it should not have ended.
    private func end(of instance: Instance) async -> Failure? {
        let diagnosis = ProbeDiagnosis(plan: plan, instance: instance)
        let handle = SupervisorHandle(instance, grace: .seconds(0))
        for await observation in handle.observations() {
            switch observation {
            // Whoever stops it means it.
            case .state(let state) where state.cause == .stopped || state.phase == .stopping:
                return await never()
            case .state(let state) where state.restarts > 0 || state.phase != .running:
                return diagnosis.explained(
                    failure(
                        "watch-exited",
                        "\(instance.name) \(Self.how(state.ending)) after its release was live"),
                    ending: state.ending)
            case .state: continue
            case .lost:
                return diagnosis.explained(
                    failure("watch-exited", "the supervisor of \(instance.name) was killed"))
            }
        }
        return await never()
    }

    private static func how(_ ending: SupervisorState.Ending?) -> String {
        switch ending {
        case .exited(let code): "exited with code \(code)"
        case .signaled(let signal): "was ended by signal \(signal)"
        case .unstartable, nil: "ended"
        }
    }

    private func probes(_ instance: Instance, _ port: UInt16) async -> Failure? {
        let probe = Probe(
            settings: plan.manifest.probe, port: port, supervisor: instance.supervisor)
        var failed = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: max(Self.probePause, plan.manifest.probe.interval.duration))
            guard let finding = try? await Blocking.run({ probe.attempt() }), !Task.isCancelled else { break }
            failed = finding == .healthy ? 0 : failed + 1
            if failed == Self.failedProbes {
                let why = ProbeDiagnosis(plan: plan, instance: instance).deadline(finding)
                var result = failure(
                    "watch-probe", "\(instance.name) stopped being healthy: \(why.message)")
                result.cause = why.cause
                result.evidence = why.evidence
                result.hints = why.hints
                return result
            }
        }
        return await never()
    }

    /// The proxy counts; a rate is something over time, so it is read now and then.
    private func errors() async -> Failure? {
        let upstream = "\(plan.target)/\(plan.number)"
        var seen: [(answers: UInt64, errors: UInt64)] = [(0, 0)]
        while !Task.isCancelled {
            if let now = try? await routes.counters().first(where: { $0.upstream == upstream }) {
                // All requests, but for those on their way, were answered.
                seen.append((now.requests - min(now.requests, now.inFlight), now.errors))
                if seen.count > Self.counts { seen.removeFirst() }
                // A proxy that was started again counts from zero.
                if seen[0].answers > seen[seen.count - 1].answers { seen = [(0, 0)] }
                let answers = seen[seen.count - 1].answers - seen[0].answers
                let errors = seen[seen.count - 1].errors - min(seen[0].errors, seen[seen.count - 1].errors)
                if let share = ReleaseWatch.isTooMany(errors, of: answers, baseline: baseline) {
                    let result = failure(
                        "watch-errors",
                        "\(errors) of the last \(max(answers, errors)) answers (\(percent(share))) had a status of 500 or above; before the swap it was \(percent(baseline))"
                    )
                    guard let first = instances.web.first else { return result }
                    return ProbeDiagnosis(plan: plan, instance: first).explained(result)
                }
            }
            try? await Task.sleep(for: Self.countPause)
        }
        return nil
    }

    /// The share, if it is far above what it was: at least five errors, and more than twice the share and five per
    /// cent above it.
    static func isTooMany(_ errors: UInt64, of answers: UInt64, baseline: Double) -> Double? {
        guard errors >= fewErrors else { return nil }
        let share = min(1, Double(errors) / Double(max(answers, errors)))
        return share >= baseline * 2 && share >= baseline + 0.05 ? share : nil
    }

    private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

    private func failure(_ code: String, _ message: String) -> Failure {
        Failure(
            code: code, message,
            hints: [
                .init(
                    "read what it printed",
                    command: "kinto logs \(plan.target.words) --console --release \(plan.number)")
            ])
    }

    /// Until the task is cancelled: others may still have something to say.
    private func never() async -> Failure? {
        let (nothing, end) = AsyncStream<Never>.makeStream()
        for await _ in nothing {}
        withExtendedLifetime(end) {}
        return nil
    }
}
