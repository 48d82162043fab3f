// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// What will go wrong, or may, and was seen before it does. It stops nothing.
public struct Warning: Sendable, Equatable, Codable {
    /// Stable, listed in docs/failures.md: `port-hard-coded`.
    public var code: String
    public var message: String
    /// What shows it: `server.js:3: app.listen(3000)`.
    public var evidence: [String]
    public var hint: Failure.Hint?

    /// Texts may come from a repository: of control characters only escapes are left.
    public init(code: String, _ message: String, evidence: [String] = [], hint: Failure.Hint? = nil) {
        self.code = code
        self.message = TerminalFilter.plain(Credentials.redacted(message))
        self.evidence = evidence.map { TerminalFilter.plain(Credentials.redacted($0)) }
        self.hint = hint
    }

    /// As it stands in a log.
    public var lines: [LogLine] {
        [.trouble("Warning: \(message) (\(code))")] + evidence.map { .detail("| \($0)") }
            + (hint.map { [.detail("-> \($0.line)")] } ?? [])
    }
}
