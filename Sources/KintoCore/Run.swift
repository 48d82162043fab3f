// SPDX-License-Identifier: Apache-2.0
public import Wire

/// A command that runs once in the artifact and with the configuration of a release: because somebody says so, or because
/// its schedule does. On record from before it was let run until its end was seen: it goes on when the server dies. Runs of
/// types with a schedule stay on record.
public struct Run: Sendable, Equatable, Codable {
    /// Why a type with a schedule was run, or was not.
    public struct Occasion: Sendable, Equatable, Codable {
        public var type: String
        /// When it was to run; nil: somebody wanted it now.
        public var due: Timestamp?
        /// Who, as `Principal.name`.
        public var by: String?
        /// Of what was not run: how many times that stands for, and the last of them.
        public var count = 1
        public var until: Timestamp?

        public init(type: String, due: Timestamp?, by: String? = nil) {
            self.type = type
            self.due = due
            self.by = by
        }
    }

    public enum Outcome: String, Sendable, Codable, CaseIterable {
        case succeeded, failed
        /// It ran longer than it may.
        case timedOut = "timed-out"
        /// By a person, or because its environment was suspended.
        case stopped
        /// By the next one.
        case replaced
        /// What happened is not known: the machine went down, or its supervisor was killed.
        case lost
        /// Not run: the one before was still going on.
        case skipped
        /// Not run: the server was away then, or the clock passed it over.
        case missed

        /// Whether somebody ought to look.
        public var isTrouble: Bool { ![.succeeded, .stopped, .replaced].contains(self) }

        /// Whether its command was run and came to no good end, or to a good one; nil: neither, or somebody wanted it to end.
        public var isFailure: Bool? {
            switch self {
            case .failed, .timedOut, .lost: true
            case .succeeded: false
            case .stopped, .replaced, .skipped, .missed: nil
            }
        }

        /// Whether nothing ran at all.
        public var isAbsence: Bool { self == .skipped || self == .missed }
    }

    public struct End: Sendable, Equatable, Codable {
        public var outcome: Outcome
        /// As a shell has it: 128 and the number when a signal ended it; nil: it had none.
        public var code: Int?
        /// In words, what else is to be said.
        public var problem: String?
        public var at: Timestamp

        public init(_ outcome: Outcome, code: Int? = nil, problem: String? = nil, at: Timestamp = .now) {
            self.outcome = outcome
            self.code = code
            self.problem = problem
            self.at = at
        }
    }

    /// Unique in a home.
    public var id: Int64
    public var target: Target
    /// The release's number.
    public var release: Int
    /// For people.
    public var command: String
    /// `KINTO_INSTANCE_ID` of its processes.
    public var identifier: String
    /// nil: it was not let run yet.
    public var supervisor: ProcessIdentity?
    public var statePath: String
    public var startedAt: Timestamp
    /// Whether it goes on without whoever started it, and prints to a log.
    public var isDetached: Bool
    /// From the first signal of its end to the last; nil: ten seconds.
    public var grace: TimeSpan?
    /// nil: a person's command, which is forgotten when it is over.
    public var occasion: Occasion?
    /// Somebody wants it to end, which is what it will have been.
    public var stopping: Outcome?
    /// nil: it is not over.
    public var end: End?

    public init(
        target: Target, release: Int, command: String, identifier: String, isDetached: Bool,
        occasion: Occasion? = nil
    ) {
        id = 0
        self.target = target
        self.release = release
        self.command = command
        self.identifier = identifier
        statePath = ""
        startedAt = .now
        self.isDetached = isDetached
        self.occasion = occasion
    }

    /// `run.7`, `nightly.7`: its name among the instances.
    public var name: String { "\(occasion?.type ?? "run").\(id)" }
}

extension Run.End {
    /// What the last state of its supervisor says; nil: it never had one.
    /// - Parameter stopping: what somebody wanted.
    public init(_ state: SupervisorState?, stopping: Run.Outcome?) {
        guard let state, state.phase == .ended, let ending = state.ending else {
            self.init(
                stopping ?? .lost, problem: stopping == nil ? "its supervisor ended without a word" : nil)
            return
        }
        let code: Int? =
            switch ending {
            case .exited(let code): Int(code)
            case .signaled(let signal): 128 + Int(signal)
            case .unstartable: nil
            }
        var problem: String?
        var outcome: Run.Outcome = code == 0 ? .succeeded : .failed
        switch state.cause {
        case .itself:
            if case .unstartable(let error, let operation) = ending {
                problem = "it cannot be started: \(SystemError(operation, code: error))"
            }
        case .stopped where stopping == nil:
            // By the machine that goes down, or by somebody who knows its number.
            (outcome, problem) = (.lost, "its supervisor was told to end")
        case .stopped: outcome = stopping ?? .stopped
        case .timeout, .silence: outcome = .timedOut
        case .memory:
            (outcome, problem) = (.failed, "it used more memory than it may, or the machine's ran out")
        case .processes: (outcome, problem) = (.failed, "it started more processes than it may")
        case .space: (outcome, problem) = (.failed, "the disk is full")
        }
        self.init(outcome, code: code, problem: problem, at: state.changedAt)
    }
}
