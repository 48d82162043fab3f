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

    /// What is kept of so many with a release: all that people need of them, whatever a repository makes them say.
    public static func kept(_ warnings: [Warning]) -> [Warning] {
        warnings.prefix(20).map { warning in
            var kept = warning
            kept.message = cut(warning.message)
            kept.evidence = warning.evidence.prefix(10).map(cut)
            kept.hint = warning.hint.map { .init(cut($0.text), command: $0.command.map(cut)) }
            return kept
        }
    }

    private static let longest = 500

    /// At most so many bytes, between characters.
    private static func cut(_ text: String) -> String {
        guard text.utf8.count > longest else { return text }
        var kept = ""
        for character in text {
            guard kept.utf8.count + character.utf8.count <= longest - "…".utf8.count else { break }
            kept.append(character)
        }
        return kept + "…"
    }

    /// As it stands in a log.
    public var lines: [LogLine] {
        [.trouble("Warning: \(message) (\(code))")] + evidence.map { .detail("| \($0)") }
            + (hint.map { [.detail("-> \($0.line)")] } ?? [])
    }
}
