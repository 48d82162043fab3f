// SPDX-License-Identifier: Apache-2.0

/// What a supervisor says of its command, kept in a file that is replaced whole at every change (and so can be
/// watched with inotify(7)). It outlives the control process and the supervisor itself.
///
/// A supervisor is stopped by sending SIGTERM to it: it runs the stop sequence on the whole tree and ends. SIGINT
/// does the same without grace.
public struct SupervisorState: Sendable, Equatable {
    public enum Phase: String, Sendable {
        /// The command runs.
        case running
        /// Service only: it ended and is started again after a pause.
        case waiting
        /// The stop sequence is under way.
        case stopping
        /// No process of the tree is left; the supervisor is about to exit. Final.
        case ended
    }

    /// Why the command ended the last time.
    public enum Ending: Sendable, Equatable {
        case exited(code: Int32)
        case signaled(Int32)
        /// It could not be started at all: errno and what was tried.
        case unstartable(code: Int32, operation: String)
    }

    /// What ended it, when it was not the command itself.
    public enum Cause: String, Sendable {
        /// By itself.
        case itself
        /// The supervisor was told to stop it.
        case stopped
        /// `SupervisorSpec.timeout` passed.
        case timeout
        /// `SupervisorSpec.silence` passed.
        case silence
        /// It used more memory than `Confinement.memory`, or the machine's ran out.
        case memory
        /// It started more processes than `Confinement.processes`.
        case processes
        /// The file system had less left than `Confinement.freeBytes` or `freeFiles`.
        case space
    }

    public var identifier: String
    public var phase: Phase
    public var supervisor: ProcessIdentity
    /// The command's first process; nil while there is none.
    public var process: ProcessIdentity?
    /// Of the latest start.
    public var startedAt: Timestamp
    /// Starts after the first one.
    public var restarts: Int
    /// The latest end; nil while the first start still runs.
    public var ending: Ending?
    public var cause: Cause
    /// Processes of the tree that still ran when the command's first process ended, and were killed.
    public var leftBehind: Int
    /// The most memory, in bytes, and the most processes that the tree had at once; nil: not counted.
    public var peakMemory: Int?
    public var peakProcesses: Int?
    /// The directories of the tree's control group.
    public var groupDirectories: [String] = []
    public var changedAt: Timestamp

    public init(
        identifier: String, phase: Phase, supervisor: ProcessIdentity, process: ProcessIdentity?,
        startedAt: Timestamp,
        restarts: Int = 0, ending: Ending? = nil, cause: Cause = .itself, leftBehind: Int = 0,
        changedAt: Timestamp
    ) {
        self.identifier = identifier
        self.phase = phase
        self.supervisor = supervisor
        self.process = process
        self.startedAt = startedAt
        self.restarts = restarts
        self.ending = ending
        self.cause = cause
        self.leftBehind = leftBehind
        self.changedAt = changedAt
    }

    public var fields: Fields {
        var f = Fields()
        f.add("identifier", identifier)
        f.add("phase", phase.rawValue)
        f.add("boot", supervisor.boot)
        f.add("supervisorPid", supervisor.pid)
        f.add("supervisorStart", supervisor.startTicks)
        if let process {
            f.add("pid", process.pid)
            f.add("start", process.startTicks)
        }
        f.add("startedAt", startedAt.milliseconds)
        f.add("restarts", restarts)
        switch ending {
        case nil: break
        case .exited(let code): f.add("exitCode", code)
        case .signaled(let signal): f.add("signal", signal)
        case .unstartable(let code, let operation):
            f.add("startError", code)
            f.add("startOperation", operation)
        }
        f.add("cause", cause.rawValue)
        f.add("leftBehind", leftBehind)
        for directory in groupDirectories { f.add("groupDirectory", directory) }
        if let peakMemory { f.add("peakMemory", peakMemory) }
        if let peakProcesses { f.add("peakProcesses", peakProcesses) }
        f.add("changedAt", changedAt.milliseconds)
        return f
    }

    public init(_ f: Fields) throws(WireError) {
        guard let phase = Phase(rawValue: try f.required("phase")) else { throw .malformed("phase") }
        guard let cause = Cause(rawValue: try f.required("cause")) else { throw .malformed("cause") }
        let boot = try f.required("boot")
        self.init(
            identifier: try f.required("identifier"), phase: phase,
            supervisor: ProcessIdentity(
                pid: try f.requiredInteger("supervisorPid"),
                startTicks: try f.requiredInteger("supervisorStart"),
                boot: boot),
            process: nil,
            startedAt: Timestamp(milliseconds: try f.requiredInteger("startedAt")),
            restarts: try f.requiredInteger("restarts"), cause: cause,
            leftBehind: try f.requiredInteger("leftBehind"),
            changedAt: Timestamp(milliseconds: try f.requiredInteger("changedAt")))
        groupDirectories = f.all("groupDirectory")
        peakMemory = f.integer("peakMemory")
        peakProcesses = f.integer("peakProcesses")
        if let pid: Int32 = f.integer("pid"), let start: UInt64 = f.integer("start") {
            process = ProcessIdentity(pid: pid, startTicks: start, boot: boot)
        }
        if let code: Int32 = f.integer("exitCode") {
            ending = .exited(code: code)
        } else if let signal: Int32 = f.integer("signal") {
            ending = .signaled(signal)
        } else if let code: Int32 = f.integer("startError") {
            ending = .unstartable(code: code, operation: f["startOperation"] ?? "start")
        }
    }

    /// Reads a state file. nil when there is none yet.
    /// - Throws: when it is there and unreadable.
    public static func read(_ path: String) throws -> SupervisorState? {
        do { return try SupervisorState(Fields(decoding: Files.read(path, limit: 1 << 20))) } catch let error
            as SystemError
            where error.code == 2
        { return nil }
    }
}
