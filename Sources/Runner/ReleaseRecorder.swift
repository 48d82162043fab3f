// SPDX-License-Identifier: Apache-2.0
public import KintoCore
internal import Wire

/// Keeps the record of one running release: each step is in the store before it is acted on, its time is measured
/// with the monotonic clock, and what people see goes to the release log.
public actor ReleaseRecorder {
    private let store: Store
    private let id: Int64
    private let releaseLog: ReleaseLog
    private let deadlines: Deadlines
    private var current: (stage: Stage, since: ContinuousClock.Instant)?
    /// What was started.
    private var instances: [Instance] = []
    /// What the limits of the steps depend on beside the settings; read once.
    private var world: (previous: Manifest?, scale: [String: Int])?

    public init(store: Store, id: Int64, log: ReleaseLog, deadlines: Deadlines) {
        self.store = store
        self.deadlines = deadlines
        self.id = id
        releaseLog = log
    }

    public func enter(_ stage: Stage) async throws {
        let release = try await note("\(stage.rawValue)") { release in
            try ReleaseRecorder.requireOpen(release)
            release.stage = stage
        }
        try await begin(stage, release)
    }

    /// Its time is measured and bounded from here.
    private func begin(_ stage: Stage, _ release: Release) async throws {
        current = (stage, .now)
        if world == nil {
            world = (
                try await store.live(release.target)?.manifest,
                try await store.environment(release.target)?.wanted ?? [:]
            )
        }
        await deadlines.enter(
            id,
            .init(
                target: release.target, number: release.number, stage: stage, since: .now,
                limit: StageLimit.of(
                    stage, release.manifest, previous: world?.previous,
                    groups: release.manifest?.groups(scale: world?.scale ?? [:]) ?? [],
                    fetch: deadlines.fetch)))
    }

    /// A release that was given up is not gone on with.
    private static func requireOpen(_ release: Release) throws {
        if release.status != .deploying { throw CancellationError() }
    }

    public func starting(_ instance: Instance) async throws {
        try await store.update(
            id, step: "starting \(instance.name) under supervisor \(instance.supervisor.pid)"
        ) {
            try ReleaseRecorder.requireOpen($0)
            $0.instances.put(instance)
        }
        instances.put(instance)
    }

    /// A build, or a command of `release`, is about to be let run.
    func starting(_ name: String, _ job: Job) async throws {
        try await store.update(
            id, step: "starting the \(name) command under supervisor \(job.supervisor.pid)"
        ) {
            if !$0.live { try ReleaseRecorder.requireOpen($0) }
            $0.jobs[name] = job
        }
    }

    public func swapping() async throws {
        let release = try await note("swapping") { release in
            try ReleaseRecorder.requireOpen(release)
            if release.abortRequested { throw CancellationError() }
            release.stage = .swap
        }
        try await begin(.swap, release)
    }

    /// There is no way back from here, so this is tried until it is durable; a server that ends before has the
    /// record of ``swapping()``, by which the next one goes on.
    /// - Parameter watch: nil when there is nothing to go back to.
    public func swapped(watch: Release.Watch?) async throws {
        let instances = instances
        while true {
            do {
                let release = try await note("swapped") { release in
                    if release.status.isFinal {
                        // It was given up while this could not be recorded, and serves all the same.
                        release.status = .deploying
                        release.failure = nil
                        release.finishedAt = nil
                        release.instances = instances
                    }
                    release.live = true
                    release.liveAt = .now
                    release.stage = .drain
                    release.watch = watch
                    release.isAfterDue = release.after != nil
                }
                return try await begin(.drain, release)
            } catch let failure as Failure where failure.code.hasPrefix("store-") {
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    public func drained(_ receipt: Release.SwapReceipt) async throws {
        try await note("drained") { $0.swap = receipt }
    }

    public func log(_ line: LogLine) { releaseLog.append(line) }

    /// Notes facts of the release without a step.
    public func facts(_ change: @Sendable @escaping (inout Release) throws -> Void) async throws {
        try await store.update(id) { release in
            try ReleaseRecorder.requireOpen(release)
            try change(&release)
        }
    }

    /// The last record: its status, and why if it is not `deployed`. A release that its watch has failed meanwhile
    /// stays failed; another one that was live is deployed, whatever came after that.
    @discardableResult
    public func finish(
        _ status: Release.Status, failure: Failure? = nil, supersededBy: Int? = nil
    ) async throws -> Release {
        let finished = try await note("finished: \(status.rawValue)") { release in
            guard release.status == .deploying else { return }
            let wasLive = release.liveAt != nil
            release.status = wasLive ? .deployed : status
            release.failure = wasLive ? nil : failure
            release.supersededBy = supersededBy ?? release.supersededBy
            release.finishedAt = .now
            release.stage = nil
            release.jobs = [:]
            release.isAfterDue = false
            // One that was live and was replaced meanwhile still runs: whoever replaced it keeps or ends it.
            if !wasLive { release.instances = [] }
        }
        await deadlines.leave(id)
        return finished
    }

    /// Ends the time of the current step and writes the next one, in one transaction.
    @discardableResult
    private func note(_ step: String, _ change: @Sendable @escaping (inout Release) throws -> Void)
        async throws -> Release
    {
        let ended = current.map { ($0.stage, $0.since.duration(to: .now)) }
        current = nil
        return try await store.update(id, step: step) { release in
            try change(&release)
            if let (stage, duration) = ended {
                release.timings[stage.rawValue, default: 0] += duration.milliseconds
            }
        }
    }
}

extension Duration {
    /// In milliseconds, to the microsecond.
    var milliseconds: Double {
        let (seconds, attoseconds) = components
        return ((Double(seconds) * 1000 + Double(attoseconds) / 1e15) * 1000).rounded() / 1000
    }
}
