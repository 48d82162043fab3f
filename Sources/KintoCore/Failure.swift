// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// Why something was not done: a stable code, one sentence for a person, what was seen, and what to do next. It is
/// both the error that steps throw and what a failed release carries in its JSON. No text in it shows the password of
/// a URL, whatever program it came from.
public struct Failure: Error, Sendable, Equatable, Codable, CustomStringConvertible {
    /// A next step: what it does, and the command to run when there is one.
    public struct Hint: Sendable, Equatable, Codable {
        public var text: String
        public var command: String?

        public init(_ text: String, command: String? = nil) {
            self.text = Credentials.redacted(text)
            self.command = command.map { Credentials.redacted($0) }
        }

        /// In one line.
        public var line: String { command.map { "\(text): \($0)" } ?? text }
    }

    /// What a rule of ``Diagnosis`` knows of the reason behind it: a code of its own, and a sentence.
    public struct Cause: Sendable, Equatable, Codable {
        public var code: String
        public var message: String

        public init(code: String, _ message: String) {
            self.code = code
            self.message = Credentials.redacted(message)
        }
    }

    /// Where it happened; nil outside a deploy.
    public var stage: Stage?
    /// Stable, listed in docs/failures.md: `build-exit`, `fetch-timeout`.
    public var code: String
    public var message: String { didSet { message = Credentials.redacted(message) } }
    /// Why that was so, when it is known: `npm-lock`. The code above is what kinto saw itself.
    public var cause: Cause?
    /// The lines of output or facts that show it, what tells most first.
    public var evidence: [String] { didSet { evidence = evidence.map { Credentials.redacted($0) } } }
    public var hints: [Hint]

    public init(
        stage: Stage? = nil, code: String, _ message: String, evidence: [String] = [], hints: [Hint] = []
    ) {
        self.stage = stage
        self.code = code
        self.message = Credentials.redacted(message)
        self.evidence = evidence.map { Credentials.redacted($0) }
        self.hints = hints
    }

    /// The same, said to have happened at `stage` unless it already says where.
    public func at(_ stage: Stage) -> Failure {
        var copy = self
        copy.stage = copy.stage ?? stage
        return copy
    }

    /// The cause if it is known, else what happened: for where there is room for one line.
    public var summary: String { cause?.message ?? message }

    /// Whether what kinto saw says nothing of the reason.
    public var isUnexplained: Bool { cause == nil && (code.hasSuffix("-exit") || code == "exited") }
    /// What is said instead of a cause then; nil: it is explained.
    public var unknown: String? {
        isUnexplained ? evidence.isEmpty ? Failure.unknownSilent : Failure.unknownCause : nil
    }
    public static let unknownCause = "Cause: not known to kinto; these lines look most like it"
    /// Where there are no such lines.
    public static let unknownSilent = "Cause: not known to kinto; it printed nothing"

    /// Everything below the message, a line each, as it stands at the end of a failed release's log. Steps that
    /// `kinto why NAME --run` takes have their numbers.
    public var told: [String] {
        var lines = cause.map { ["Cause: \($0.message) (\($0.code))"] } ?? []
        if let unknown { lines.append(unknown) }
        lines += evidence.map { "| \($0)" }
        lines += hints.enumerated().map { index, hint in
            "\(hint.command.flatMap { StepCommand($0) } == nil ? " " : "\(index + 1)") -> \(hint.line)"
        }
        return lines
    }

    public var description: String { "\(message) (\(code))" }
}

/// The steps of a deploy, in order.
public enum Stage: String, Sendable, Codable, CaseIterable {
    case fetch, build, store, start, probe, swap, drain
}
