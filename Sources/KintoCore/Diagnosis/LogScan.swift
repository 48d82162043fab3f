// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// One pass over a log: which rules match it and where, what looks like an error, and its last lines.
struct LogScan {
    /// A rule that matched a line.
    struct Match {
        let rule: Int
        let offset: Int
        let values: [String: String]
    }

    private(set) var matches: [Match] = []
    private(set) var suspects = Suspects()
    /// The last lines, for stack traces.
    private(set) var tail: [String] = []

    private let place: Rule.Place
    private let exit: Int32?
    private let isFit: (Int, [String: String]) -> Bool
    private var seen: [Int: Int] = [:]
    /// The line before, and how often it came.
    private var last: (bytes: [UInt8], count: Int) = ([], 0)

    private static let patterns: [(rule: Int, pattern: LogPattern)] = Rule.all.indices.flatMap { index in
        Rule.all[index].patterns.map { (index, $0) }
    }
    private static let automaton = AnchorAutomaton(patterns.map(\.pattern.anchor))
    /// Patterns that are tried on one line; a line that looks like more of them is made up.
    private static let candidates = 16
    private static let tailLines = 400
    private static let repeated = 100
    private static let warnings = ["warning", "npm warn", "warn "].map { Array($0.utf8) }
    /// Bytes of a log in which the same is told.
    private static let oneTale = 4096

    /// - Parameter isFit: refuses a match that cannot be, after what else is known.
    init(
        _ place: Rule.Place, exit: Int32?, isFit: @escaping (Int, [String: String]) -> Bool = { _, _ in true }
    ) {
        self.place = place
        self.exit = exit
        self.isFit = isFit
    }

    mutating func read(_ section: LogSection) {
        section.read(
            begin: {
                matches = []
                seen = [:]
                last = ([], 0)
                suspects = Suspects()
                tail = []
            },
            line: { take($0.bytes, at: $0.offset) })
    }

    mutating func take(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        // A flood of one line says it once. Some are kept, to be seen as one.
        if bytes.elementsEqual(last.bytes) {
            last.count += 1
            if last.count > LogScan.repeated { return }
        } else {
            last = (Array(bytes), 1)
        }
        let plain =
            bytes.contains(0x1B) ? TerminalFilter.stripped(Array(bytes))[...] : bytes
        if tail.count >= LogScan.tailLines * 2 { tail.removeFirst(LogScan.tailLines) }
        tail.append(LogSection.shown(plain))
        let line = LogLineText(plain)
        suspects.take(line, at: offset)
        // A tool that goes on after it.
        if place == .command, LogScan.warnings.contains(where: { line.folded.starts(with: $0) }) { return }
        for index in LogScan.automaton.candidates(line.original).prefix(LogScan.candidates).sorted() {
            let (rule, pattern) = LogScan.patterns[index]
            guard Rule.all[rule].applies(to: place, exit: exit), let values = pattern.match(line),
                isFit(rule, values)
            else { continue }
            note(Match(rule: rule, offset: offset, values: values))
        }
    }

    /// The first and the last of each rule are kept.
    private mutating func note(_ match: Match) {
        // By another of its patterns.
        if matches.contains(where: { $0.rule == match.rule && $0.offset == match.offset }) { return }
        seen[match.rule, default: 0] += 1
        if seen[match.rule] ?? 0 > 2, let last = matches.lastIndex(where: { $0.rule == match.rule }) {
            matches[last] = match
        } else {
            matches.append(match)
        }
    }

    /// The one that explains the others: of the highest rank; of a command the first, for what comes after it is mostly a
    /// consequence; of an application the last, for it went on after the others.
    var best: Match? {
        guard let rank = matches.map({ Rule.all[$0.rule].rank }).max() else { return nil }
        let top = matches.filter { Rule.all[$0.rule].rank == rank }
        let offset = place == .console ? top.map(\.offset).max() : top.map(\.offset).min()
        guard let found = top.filter({ $0.offset == offset }).min(by: { $0.rule < $1.rule }) else {
            return nil
        }
        // Many tell it twice, the second time in fewer words.
        return top.first { $0.rule == found.rule && found.offset - $0.offset < LogScan.oneTale } ?? found
    }
}
