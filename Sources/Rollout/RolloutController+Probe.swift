// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// The proof that an instance is live.
extension RolloutController {
    /// Waits until a worker has run for as long as it must.
    func proveWorker(_ started: Started, _ plan: RolloutPlan) async throws {
        let diagnosis = ProbeDiagnosis(plan: plan, instance: started.instance)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await end(of: started.handle, diagnosis) }
            group.addTask {
                // The command has begun when the supervisor has a state; `end` tells if it never does.
                for await case .state(let state) in started.handle.observations() where state.process != nil {
                    break
                }
                try await Task.sleep(for: (started.group.worker?.stable ?? .seconds(0)).duration)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
        // In the moment between: one that has ended is not ready.
        if let state = started.handle.state(), state.restarts > 0 || state.phase != .running {
            throw diagnosis.ended(state)
        }
    }

    /// - Throws: why the command ended, as soon as it has.
    private func end(of handle: SupervisorHandle, _ diagnosis: ProbeDiagnosis) async throws {
        for await observation in handle.observations() {
            switch observation {
            case .state(let state)
            where state.phase == .waiting || state.phase == .ended || state.restarts > 0:
                throw diagnosis.ended(state)
            case .state: continue
            case .lost: throw diagnosis.lost()
            }
        }
        // The stream ends early only with the task.
        try Task.checkCancellation()
        throw diagnosis.lost()
    }

    /// Waits until the instance is live; an end of the command is noticed at once.
    func prove(
        _ instance: Instance, _ handle: SupervisorHandle, _ plan: RolloutPlan, _ journal: any RolloutJournal
    ) async throws {
        let diagnosis = ProbeDiagnosis(plan: plan, instance: instance)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await end(of: handle, diagnosis) }
            group.addTask { try await probe(instance, plan, diagnosis, journal) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func probe(
        _ instance: Instance, _ plan: RolloutPlan, _ diagnosis: ProbeDiagnosis, _ journal: any RolloutJournal
    ) async throws {
        try Fault.probing.reach()
        let settings = plan.manifest.probe
        let probe = Probe(settings: settings, port: instance.port ?? 0, supervisor: instance.supervisor)
        let clock = ContinuousClock()
        let began = clock.now
        let deadline = began + settings.deadline.duration
        var healthySince: ContinuousClock.Instant?
        // A mistake that is plain to see is told early; the deadline decides.
        var warnAt: ContinuousClock.Instant? = began + .seconds(3)
        while true {
            // Before the try: a process that was stopped meanwhile has not looked, however late it is.
            let isLast = clock.now >= deadline
            let finding = try await Blocking.run { probe.attempt() }
            try Task.checkCancellation()
            if finding == .healthy {
                let since = healthySince ?? clock.now
                healthySince = since
                if since.duration(to: clock.now) >= settings.stable.duration { return }
            } else {
                healthySince = nil
            }
            guard !isLast else { throw diagnosis.deadline(finding) }
            if let time = warnAt, clock.now >= time {
                warnAt = nil
                let likely = diagnosis.deadline(finding)
                if ["wrong-port", "wrong-address", "probe-status"].contains(likely.code) {
                    await journal.log(
                        .trouble("\(likely.message); waiting until \(settings.deadline) are over"))
                }
            }
            // Linux tells nobody that a socket begins to listen. Asking after every sixteenth of the time that has
            // passed finds it at most that much late, and a slow start is not asked thousands of times.
            let pause = max(.milliseconds(1), began.duration(to: clock.now) / 16)
            try await clock.sleep(for: min(pause, settings.interval.duration), tolerance: .zero)
        }
    }
}
