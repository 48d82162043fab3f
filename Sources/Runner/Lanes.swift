// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Logging
internal import Wire

/// The queue: one release at a time in each target, in the order of acceptance, several targets side by side. The
/// store holds the queue; this only runs it, so nothing is lost with it.
public actor Lanes {
    /// Runs one release to its recorded end; throws only what `Lanes` turns into the end.
    public typealias Perform = @Sendable (Release, ReleaseRecorder) async throws -> Void

    private let store: Store
    private let home: Home
    private let perform: Perform
    private let logger: Logger
    private let halt: Halt
    private let deadlines: Deadlines
    private var running: [Target: (release: Int64, task: Task<Void, Never>)] = [:]
    /// Releases that are ended because a step of theirs is stuck.
    private var overdue: [Int64: Failure] = [:]
    private var stopped = false

    public init(
        store: Store, home: Home, halt: Halt, deadlines: Deadlines, logger: Logger, perform: @escaping Perform
    ) {
        self.halt = halt
        self.deadlines = deadlines
        self.store = store
        self.home = home
        self.logger = logger
        self.perform = perform
    }

    /// Starts the next release of the target unless one runs. Call after every acceptance; harmless otherwise.
    public func wake(_ target: Target) async {
        guard !stopped, running[target] == nil else { return }
        let next: Release?
        do {
            // A release that was aborted wakes the next from its cancelled task, where a read is cancelled, too.
            next = try await Task { [store] in try await store.openReleases(target) }.value
                .first { $0.status == .queued }
        } catch {
            logger.error("queue cannot be read", metadata: ["target": "\(target)", "error": "\(error)"])
            // What is queued must not wait for the next trigger.
            Task { [weak self] in
                try? await Task.sleep(for: .seconds(1))
                await self?.wake(target)
            }
            return
        }
        // Another call may have started one while the store was read. What an earlier server left of the release is
        // ended first, which wakes this again.
        guard let next, next.instances.isEmpty, !stopped, running[target] == nil else { return }
        // Threads of its own: who triggers does not wait behind the work of those who are deployed.
        let task = Task(priority: .utility) { await self.run(next) }
        running[target] = (next.id, task)
    }

    /// Stops a release that has not reached the swap.
    /// - Throws: `Failure` of code `not-abortable` with the way that is left.
    public func abort(_ target: Target, _ number: Int?) async throws -> Release {
        let open = try await store.openReleases(target)
        guard let chosen = number.map({ n in open.first { $0.number == n } }) ?? open.last else {
            throw Failure(
                code: "not-abortable",
                number.map { "release \($0) is neither queued nor deploying" }
                    ?? "nothing is queued or deploying",
                hints: [.init("see the releases", command: "kinto releases \(target.words)")])
        }
        let marked = try await store.update(chosen.id, step: "abort asked") { release in
            switch release.status {
            case .queued:
                release.status = .aborted
                release.finishedAt = .now
            case .deploying where release.stage != .swap && release.stage != .drain:
                release.abortRequested = true
            default:
                throw Failure(
                    code: "not-abortable", "release \(release.number) is live already and cannot be aborted",
                    hints: [
                        .init("go back to the release before it", command: "kinto rollback \(target.words)")
                    ])
            }
        }
        if marked.status == .aborted {
            let log = ReleaseLog(path: home.releaseLog(target, marked.number))
            log.append(.trouble("Release \(marked.number) was aborted before it started"))
            log.close()
            return marked
        }
        if let active = running[target], active.release == chosen.id {
            active.task.cancel()
            await active.task.value
        }
        return try await store.release(target, chosen.number) ?? marked
    }

    /// Ends a running release that the store has marked as superseded; does not wait for its end.
    public func supersede(_ release: Release) {
        guard let active = running[release.target], active.release == release.id else { return }
        active.task.cancel()
    }

    /// Takes no more releases, and cancels those before the swap: they stay recorded as deploying and are taken up
    /// at the next start, which waits for the builds that go on meanwhile.
    public func stop() async {
        stopped = true
        halt.begin()
        for active in running.values { active.task.cancel() }
        for active in running.values { await active.task.value }
    }

    /// Ends a release whose step is stuck: its task is cancelled, and given up when that does not help; what it may do
    /// later finds the release closed.
    public func end(_ step: Deadlines.Step, _ id: Int64) async {
        guard let active = running[step.target], active.release == id else { return }
        logger.error(
            "a step is stuck",
            metadata: ["release": "\(step.target)/\(step.number)", "stage": "\(step.stage)"])
        overdue[id] = step.failure
        active.task.cancel()
        _ = await atMost(Lanes.patience) { await active.task.value }
        guard running[step.target]?.release == id else { return }
        running[step.target] = nil
        overdue[id] = nil
        let log = ReleaseLog(path: home.releaseLog(step.target, step.number))
        let recorder = ReleaseRecorder(store: store, id: id, log: log, deadlines: deadlines)
        await record(await outcome(step.failure, step.target, step.number, log), recorder, logger)
        log.close()
        await wake(step.target)
    }

    /// How long a cancelled task may take to end: a stop with its grace.
    private static let patience = StageLimit.short?.time.duration ?? .seconds(60)

    /// Ends all of the target: what can be aborted is, of the rest the end is waited for. What is pushed meanwhile begins
    /// when the one before it has ended, and is ended, too: its build is not waited for.
    /// - Throws: what the store says; `CancellationError` when the server stops.
    public func clear(_ target: Target) async throws {
        while true {
            let active = running[target]
            let open = try await store.openReleases(target)
            if open.isEmpty, active == nil { return }
            if stopped { throw CancellationError() }
            for release in open {
                do { _ = try await abort(target, release.number) } catch let failure as Failure
                    where failure.code == "not-abortable"
                {}
            }
            // Of what nobody runs the step was given up, and its end is being recorded: no task tells of that.
            if let active { await active.task.value } else { try await Task.sleep(for: .milliseconds(20)) }
        }
    }

    private func run(_ queued: Release) async {
        await runOne(queued)
        overdue[queued.id] = nil
        // It may have been given up, and another one run by now.
        guard running[queued.target]?.release == queued.id else { return }
        running[queued.target] = nil
        await wake(queued.target)
    }

    private func runOne(_ queued: Release) async {
        let target = queued.target
        let log = ReleaseLog(path: home.releaseLog(target, queued.number))
        var logger = logger
        logger[metadataKey: "release"] = "\(target)/\(queued.number)"
        let recorder: ReleaseRecorder
        let release: Release
        do {
            try Files.makeDirectories(home.release(target, queued.number))
            log.reopen()
            release = try await store.update(queued.id, step: "claimed") { release in
                // An abort may have come between the reading and this.
                guard release.status == .queued else { throw CancellationError() }
                release.status = .deploying
                release.attempts += 1
                guard release.startedAt == nil else { return }
                release.startedAt = .now
                release.timings["queue"] = Double(Timestamp.now.milliseconds - release.createdAt.milliseconds)
            }
            recorder = ReleaseRecorder(store: store, id: release.id, log: log, deadlines: deadlines)
        } catch is CancellationError {
            return
        } catch {
            logger.error("the release cannot be started", metadata: ["error": "\(error)"])
            // It stays queued; a disk that is full now will not be for ever.
            try? await Task.detached { try await Task.sleep(for: .seconds(1)) }.value
            return
        }
        var outcome = Outcome(status: .deployed)
        do {
            try Fault.claimed.reach()
            try await perform(release, recorder)
        } catch let superseded as Pipeline.Superseded {
            log.append(.trouble("Superseded: \(superseded.reason)"))
            outcome = Outcome(status: .superseded, supersededBy: superseded.by)
        } catch is CancellationError {
            // A server that stops leaves the release as it is recorded: the next one takes it up.
            guard !stopped else { return }
            if let failure = overdue[release.id] {
                outcome = await self.outcome(failure, target, release.number, log)
            } else if let newer = await newer(than: release) {
                log.append(.trouble("Superseded by release \(newer), a newer push"))
                outcome = Outcome(status: .superseded, supersededBy: newer)
            } else if await !wasLive(target, release.number) {
                log.append(.trouble("Release \(release.number) was aborted"))
                outcome = Outcome(status: .aborted)
            }
        } catch {
            var failure = Lanes.failure(error)
            let store = store
            failure.evidence +=
                await Task { await SettingsChange.line(release, in: store) }.value.map { [$0] } ?? []
            outcome = await self.outcome(failure, target, release.number, log)
        }
        // A build that failed leaves its checkout; the log and the cause are what is kept. It goes before the outcome
        // is recorded: it may be what filled the disk.
        let place = BuildPlace(home, release, user: nil)
        try? await Blocking.run { try place.remove() }
        Fault.cleanUp.pass()
        await record(outcome, recorder, logger)
        Fault.finished.pass()
        await tellSlow(release, log)
        log.close()
    }

    /// Ends the log with the stages that took much longer than is usual there.
    private func tellSlow(_ release: Release, _ log: ReleaseLog) async {
        let store = store
        // A read of a task that is cancelled is cancelled, too.
        let lines = await Task {
            guard let done = try? await store.release(release.target, release.number),
                let times = try? await store.stageTimes(release.target, before: release.number)
            else { return [String]() }
            return StageTimes.slow(done.timings, usual: times.usual())
        }.value
        for line in lines { log.append(.detail(line)) }
    }

    /// The release for which this one was ended; nil when a person did it.
    private func newer(than release: Release) async -> Int? {
        let store = store
        // A read of a task that is cancelled is cancelled, too.
        return await Task { try? await store.release(release.target, release.number) }.value?.supersededBy
    }

    /// What a release came to.
    private struct Outcome {
        var status: Release.Status
        var failure: Failure?
        var supersededBy: Int?
    }

    /// Of a release that something went wrong with: what is live, or was, stays what it is.
    private func outcome(_ failure: Failure, _ target: Target, _ number: Int, _ log: ReleaseLog) async
        -> Outcome
    {
        guard await wasLive(target, number) else {
            await tell(failure, target, number, log)
            return Outcome(status: .failed, failure: failure)
        }
        log.append(.trouble("Release \(number): \(failure.message)"))
        return Outcome(status: .deployed)
    }

    private func wasLive(_ target: Target, _ number: Int) async -> Bool {
        let store = store
        // A read of a task that is cancelled is cancelled, too.
        return await Task { try? await store.release(target, number) }.value?.liveAt != nil
    }

    /// Every release gets its outcome. While it cannot be written the next one waits, for it could not be either; a
    /// server that is stopped meanwhile leaves it to the next.
    private func record(_ outcome: Outcome, _ recorder: ReleaseRecorder, _ logger: Logger) async {
        while !stopped {
            do {
                let done = try await recorder.finish(
                    outcome.status, failure: outcome.failure, supersededBy: outcome.supersededBy)
                logger.notice(
                    "release \(done.status.rawValue)", metadata: done.failure.map { ["code": "\($0.code)"] })
                return
            } catch let failure as Failure where failure.code == "unknown-release" {
                // Its service was removed meanwhile.
                return
            } catch {
                logger.error("the outcome cannot be recorded; trying again", metadata: ["error": "\(error)"])
                try? await Task.detached { try await Task.sleep(for: .seconds(1)) }.value
            }
        }
    }

    /// What people are told of an error.
    public static func failure(_ error: any Error) -> Failure {
        switch error {
        case let failure as Failure: failure
        case let error as SystemError: error.asFailure
        default:
            Failure(
                code: "internal", "\(error)",
                hints: [.init("look for what is wrong", command: "kinto doctor")])
        }
    }

    private func tell(_ failure: Failure, _ target: Target, _ number: Int, _ log: ReleaseLog) async {
        let store = store
        // A read of a task that is cancelled is cancelled, too.
        let isLive = await Task { try? await store.live(target) }.value != nil
        log.append(.trouble("Release \(number) failed: \(failure.message)"))
        for line in failure.told { log.append(.detail(line)) }
        if isLive { log.append(.detail("What was live before goes on serving.")) }
    }
}
