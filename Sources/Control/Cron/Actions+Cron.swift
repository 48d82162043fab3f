// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import HookReceiver
internal import KintoCore
internal import Logging
internal import Rollout
internal import Runner
internal import Wire

/// Runs of types with a schedule. When they are due is ``CronScheduler``'s to know.
extension Actions {
    /// Of the log of one.
    private static let logLimit = 5 << 20

    /// What is live of a target; nothing when it is suspended.
    func scheduled(_ target: Target) async throws -> (release: Int, processes: [ScheduledProcess])? {
        guard try await store.environment(target)?.suspended == false,
            let live = try await store.live(target),
            let manifest = live.manifest
        else { return nil }
        return (live.number, manifest.scheduled())
    }

    /// Runs a type now, whatever its schedule says.
    /// - Throws: `Failure` of code `unknown-service`, `nothing-live`, `unknown-process`, `cron-busy`.
    func runScheduled(_ target: Target, _ type: String, by: String?) async throws -> Run {
        try await require(target)
        guard let (release, processes) = try await scheduled(target) else {
            throw Failure(
                code: "nothing-live", "no release of \(target) is live, or it is suspended",
                hints: [.init("see what is", command: "kinto status \(target.service)")])
        }
        guard let process = processes.first(where: { $0.type == type }) else {
            throw Failure(
                code: "unknown-process",
                "no type '\(RefChange.shown(type))' of what is live of \(target) has a schedule",
                hints: [.init("see which have", command: "kinto cron \(target.words)")])
        }
        let beginning = try await CronScheduler.begin(
            process, of: target, release: release, due: nil, by: by, in: store, carryOut)
        switch beginning {
        case .begun(let run, _): return run
        case .skipped(let other):
            throw Failure(
                code: "cron-busy",
                process.overlap == .allow
                    ? "\(Store.mostAtOnce) runs of it go on, the newest of them \(other): more are not begun at once"
                    : "\(other) runs, and 'overlap' does not allow another beside it",
                hints: [
                    .init(
                        "wait for its end", command: "kinto cron \(target.words) logs \(type) \(other) -f"),
                    .init("or end it", command: "kinto cron \(target.words) stop \(other)"),
                ])
        case .void:
            throw Failure(
                code: "nothing-live", "release \(release) of \(target) is not live any more: try again")
        }
    }

    /// Starts what is on record, after what it replaces has ended.
    @Sendable func carryOut(_ run: Run, _ process: ScheduledProcess, _ others: [Run]) async {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for other in others { group.addTask { try await halt(other, as: .replaced) } }
                try await group.waitForAll()
            }
            let (release, directory, variables) = try await place(run.target, run.release)
            var run = run
            run.grace = process.stop.grace
            let handle: SupervisorHandle
            (run, handle) = try await launch(
                run,
                RunPlan(
                    command: process.command, directory: directory, variables: variables,
                    secrets: ProcessEnvironment.secrets(release.config ?? [:]), logLimit: Actions.logLimit,
                    timeout: process.timeout, signal: process.stop.signal))
            Task { [run] in await watch(run, handle) }
        } catch {
            await end(run, nil, problem: Lanes.failure(error).message)
        }
    }

    /// Ends what runs by a schedule.
    func stopScheduled(_ target: Target) async throws {
        let runs = try await store.runs().filter { $0.target == target && $0.occasion != nil }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for run in runs { group.addTask { try await halt(run, as: .stopped) } }
            try await group.waitForAll()
        }
    }

    /// Records how one ended.
    /// - Parameters:
    ///   - last: what its supervisor said last; nil: it had none.
    ///   - problem: why it could not begin.
    func end(_ run: Run, _ last: SupervisorState?, problem: String? = nil) async {
        do {
            let ended = try await persistently { [store] in
                try await store.end(run) { known in
                    if let problem, known.stopping == nil { return Run.End(.failed, problem: problem) }
                    if known.supervisor == nil, known.stopping == nil {
                        return Run.End(.lost, problem: "nobody saw it begin")
                    }
                    let own = last.flatMap { $0.identifier == known.identifier ? $0 : nil }
                    return Run.End(own, stopping: known.stopping)
                }
            }
            if let ended { try await tell(ended) }
        } catch {
            logger.error(
                "the end of a run is not recorded", metadata: ["run": "\(run.name)", "error": "\(error)"])
        }
    }

    /// In its log, and to the operator; then what is too old goes.
    private func tell(_ run: Run) async throws {
        guard let end = run.end, let type = run.occasion?.type else { return }
        let log = ReleaseLog(path: home.consoleLog(run.target, run.release, instance: run.name))
        if end.outcome != .succeeded {
            log.append(.trouble("\(run.name) \(end.words)"))
        }
        if end.outcome.isTrouble {
            logger.warning(
                "a scheduled run did not succeed",
                metadata: ["run": "\(run.target) \(run.name)", "end": "\(end.words)"])
        }
        log.close()
        let old = try await store.forgetRuns(run.target, type: type, beyond: retention.settings.runs)
        for run in old where run.end?.outcome.isAbsence == false {
            let path = home.consoleLog(run.target, run.release, instance: run.name)
            for file in [path, "\(path).1", run.statePath] where !file.isEmpty { unlink(file) }
        }
    }
}

extension Run.End {
    /// After the name of a run: `failed with code 3`.
    var words: String {
        let what =
            switch outcome {
            case .succeeded: "succeeded"
            case .failed: code.map { "failed with code \($0)" } ?? "failed"
            case .timedOut: "ran longer than it may, and was stopped"
            case .stopped: "was stopped"
            case .replaced: "was stopped for the next one"
            case .lost: "was lost"
            case .skipped: "was left out: the one before still ran"
            case .missed: "was missed: the server was away, or the clock was set"
            }
        return problem.map { "\(what): \($0)" } ?? what
    }
}
