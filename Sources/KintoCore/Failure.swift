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

    /// Where it happened; nil outside a deploy.
    public var stage: Stage?
    /// Stable, listed in docs/failures.md: `build-exit`, `fetch-timeout`.
    public var code: String
    public var message: String { didSet { message = Credentials.redacted(message) } }
    /// The lines of output or facts that show it, oldest first.
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

    public var description: String { "\(message) (\(code))" }
}

/// The steps of a deploy, in order.
public enum Stage: String, Sendable, Codable, CaseIterable {
    case fetch, build, store, start, probe, swap, drain
}
