// SPDX-License-Identifier: Apache-2.0

/// One known cause of failures: how it looks in a log, what it is in the user's words, and what helps. The tables are in
/// `Rules/`, one for each area; a new cause is a new entry, a row in docs/failures.md and a fixture in
/// `Tests/Failures/`.
struct Rule: Sendable {
    /// Where it is looked for.
    enum Place: Sendable {
        /// What the build or release command printed.
        case command
        /// What the application printed.
        case console
        /// Both.
        case output
        /// What came back when the probe asked.
        case answer
    }

    /// Of several that match, the one that explains the others.
    enum Rank: Int, Sendable, Comparable {
        /// What tools say when something else failed: `make: *** [all] Error 1`.
        case summary
        /// May be said on the way without harm.
        case likely
        case cause
        /// The machine or its limits: whatever else is said is a consequence.
        case world

        static func < (a: Rank, b: Rank) -> Bool { a.rawValue < b.rawValue }
    }

    /// A step to take: holes of the patterns and, in capitals, what kinto itself knows: `{SERVICE}`, `{RELEASE}`,
    /// `{PORT}`. A command is left out when one of its values is not fit for it.
    struct Step: Sendable {
        let text: String
        let command: String?

        init(_ text: String, _ command: String? = nil) {
            self.text = text
            self.command = command
        }
    }

    let code: String
    let place: Place
    let rank: Rank
    /// Looked for only after these exit codes; nil: after all.
    let exits: Set<Int32>?
    let patterns: [LogPattern]
    /// Lines after the one that matches that belong to it.
    let after: Int
    let says: String
    let steps: [Step]

    init(
        code: String, _ place: Place = .output, rank: Rank = .cause, exits: Set<Int32>? = nil,
        when patterns: [String], after: Int = 0, says: String, _ steps: [Step] = []
    ) {
        self.code = code
        self.place = place
        self.rank = rank
        self.exits = exits
        self.patterns = patterns.map(LogPattern.init)
        self.after = after
        self.says = says
        self.steps = steps
    }

    /// All of them, in the order in which they are preferred when all else is equal.
    static let all: [Rule] =
        resources + environment + commands + network + databases + languages + compilers + packages + answers

    func applies(to place: Place, exit: Int32?) -> Bool {
        if let exits, exit.map(exits.contains) != true { return false }
        return switch self.place {
        case .output: place != .answer
        case .command, .console, .answer: self.place == place
        }
    }

    // MARK: Words

    /// - Parameter known: what kinto knows, by names in capitals.
    func sentence(_ values: [String: String], _ known: [String: String]) -> String {
        Rule.filled(says, values, known) ?? says
    }

    func hints(_ values: [String: String], _ known: [String: String]) -> [Failure.Hint] {
        steps.map { step in
            Failure.Hint(
                Rule.filled(step.text, values, known) ?? step.text,
                command: step.command.flatMap { Rule.filled($0, values, known, forCommand: true) })
        }
    }

    /// nil when a hole has no value that fits.
    private static func filled(
        _ template: String, _ values: [String: String], _ known: [String: String], forCommand: Bool = false
    ) -> String? {
        var out = ""
        var rest = Substring(template)
        while let start = rest.firstIndex(of: "{"), let end = rest[start...].firstIndex(of: "}") {
            let name = String(rest[rest.index(after: start)..<end])
            out += rest[..<start]
            // JSON, for people.
            guard name.allSatisfy({ $0.isLetter || $0.isNumber }) else {
                out += rest[start...end]
                rest = rest[rest.index(after: end)...]
                continue
            }
            if let value = known[name] {
                out += value
            } else if let value = values[name] {
                if forCommand {
                    let hole = Hole(name)
                    guard hole.isForCommands, hole.value(Array(value.utf8)[...]) == value else { return nil }
                }
                out += value
            } else if forCommand {
                return nil
            }
            rest = rest[rest.index(after: end)...]
        }
        return out + rest
    }
}
