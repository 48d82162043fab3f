// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import KintoCore
public import Wire

/// Starts supervisors behind their gate, and takes over those that run already.
public struct SupervisorClient: Sendable {
    /// Path of `kinto-runtime`.
    let runtime: String

    /// argv of a supervisor.
    static let arguments = ["kinto-runtime", "supervise"]

    public init(runtime: String) { self.runtime = runtime }

    /// Starts a supervisor, lets `record` make it durable, and only then opens the gate: what could not be recorded
    /// never runs.
    /// - Parameter listener: for a specification with an attachment.
    public func start(
        _ spec: SupervisorSpec, listener: Descriptor? = nil,
        record: @Sendable (ProcessIdentity) async throws -> Void
    ) async throws -> SupervisorHandle {
        var ends: [Int32] = [-1, -1]
        try check("pipe") { kinto_pipe(&ends) }
        let (reading, gate) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
        unlink(spec.statePath)
        var spec = spec
        spec.environment.append(Strays.instanceMark(spec.identifier))
        let pid = try Spawn(
            path: runtime, arguments: SupervisorClient.arguments,
            environment: ["LC_ALL=C"] + Strays.marks(in: spec.environment), standardInput: reading,
            standardOutput: listener, newSession: true
        ).start()
        let fields = spec.fields
        do {
            _ = try ProcessTable.read(pid)
            guard let identity = ProcessIdentity(running: pid) else {
                throw Failure(code: "supervisor-lost", "the supervisor ended before it began")
            }
            try await record(identity)
            // A specification larger than the pipe blocks until it is read.
            try await Blocking.run {
                try Frame.write(fields, to: gate)
                try gate.writeAll([SupervisorSpec.gate])
            }
            return SupervisorHandle(
                supervisor: identity, statePath: spec.statePath, identifier: spec.identifier,
                grace: spec.stopGrace)
        } catch {
            // The pipe closes with `gate`: the supervisor ends without having started anything.
            // Not waited for yet: the number is its own.
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            throw error
        }
    }
}

extension SupervisorClient {
    /// Runs a job to its end; cancelling stops its whole tree first.
    /// - Parameters:
    ///   - isLeft: whether a job whose task is cancelled is left to the next server instead.
    ///   - record: as for `start`.
    public func run(
        _ spec: SupervisorSpec, isLeft: @escaping @Sendable () -> Bool = { false },
        record: @Sendable (ProcessIdentity) async throws -> Void = { _ in }
    ) async throws -> SupervisorState {
        let handle = try await start(spec, record: record)
        Fault.jobRunning.pass()
        guard var state = try await end(of: handle, isLeft: isLeft) else {
            throw Failure(
                code: "supervisor-lost", "the supervisor of '\(spec.command)' ended without a trace")
        }
        if state.phase != .ended { state.ending = nil }
        return state
    }

    /// Waits for the end of a job that an earlier server started; cancelling as for `run`.
    public func rejoin(_ job: Job, isLeft: @escaping @Sendable () -> Bool = { false }) async throws
        -> Job.Fate
    {
        let handle = SupervisorHandle(
            supervisor: job.supervisor, statePath: job.statePath, identifier: job.identifier, grace: 10_000)
        let last = try await end(of: handle, isLeft: isLeft)
        guard let last, last.identifier == job.identifier else {
            // The state is written when the command begins, but is sure to be there after a power cut only at its end.
            return job.supervisor.boot == ProcessTable.bootIdentifier ? .neverRan : .unknown
        }
        return last.phase == .ended && last.cause != .stopped ? .ended(last) : .unknown
    }

    /// The last state of a job; nil when it never had one.
    private func end(of handle: SupervisorHandle, isLeft: @escaping @Sendable () -> Bool) async throws
        -> SupervisorState?
    {
        try await withTaskCancellationHandler {
            var last: SupervisorState?
            for await observation in handle.observations() {
                if case .state(let state) = observation { last = state }
            }
            if Task.isCancelled, isLeft() { throw CancellationError() }
            // An abort ends the stream early: the tree is gone when this returns.
            await handle.stop(grace: Task.isCancelled ? 2_000 : 0)
            try Task.checkCancellation()
            return try last ?? SupervisorState.read(handle.statePath)
        } onCancel: {
            if !isLeft() { handle.supervisor.send(SIGTERM) }
        }
    }
}
