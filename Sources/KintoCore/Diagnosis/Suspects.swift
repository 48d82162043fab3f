// SPDX-License-Identifier: Apache-2.0

/// Lines that look like errors, for failures that no rule knows. Of those that look most like one the first counts: what
/// comes after it is mostly a consequence. Others that look just as much like one may be more of the same, and are noted.
struct Suspects {
    private(set) var best: (score: Int, offset: Int)?
    /// Offsets of the next ones after the best.
    private(set) var others: [Int] = []
    private static let mostOthers = 3

    /// Words of errors, and what each is worth.
    private static let words: [(word: [UInt8], worth: Int)] = [
        ("fatal", 4), ("panic", 4), ("error:", 4), ("exception", 4), ("[error]", 4), ("traceback", 3),
        ("err!", 3), ("error", 2), ("failed", 2), ("failure", 2), ("cannot", 2), ("can't", 2),
        ("could not", 2), ("unable to", 2), ("no such", 2), ("not found", 2), ("undefined", 2),
        ("denied", 2), ("refused", 2), ("invalid", 2), ("missing", 2), ("unexpected", 2), ("abort", 2),
        ("not allowed", 2), ("unknown", 1), ("unsupported", 1), ("fail", 1), ("bad ", 1),
    ].map { (Array($0.0.utf8), $0.1) }
    /// What says that it is none.
    private static let harmless: [[UInt8]] = [
        "warning", "warn ", "deprecated", "0 error", "no error", "0 failed", "error-", "errors.", "-error",
        "ignored", "note:", "0 failures", "checking ", "compiling ", "installing ", "downloading ",
    ].map { Array($0.utf8) }
    /// Signs that checkers put before what is wrong.
    private static let signs: [[UInt8]] = ["✗ ", "✘ ", "✖ ", "✕ ", "× ", "❌", "not ok "].map {
        Array($0.utf8)
    }
    private static let signWorth = 4
    /// Log lines that are JSON have their level in them.
    private static let levels: [[UInt8]] = ["error", "fatal", "critical", "panic"].flatMap { level in
        ["\"level\":\"\(level)\"", "\"level\": \"\(level)\"", "\"severity\":\"\(level)\"", "level=\(level)"]
            .map { Array($0.utf8) }
    }
    private static let enough = 2
    /// What is looked at of a line: people begin with what is wrong.
    private static let length = 300

    mutating func take(_ line: LogLineText, at offset: Int) {
        let score = Suspects.score(line)
        guard score >= Suspects.enough else { return }
        if score > best?.score ?? 0 {
            (best, others) = ((score, offset), [])
        } else if score == best?.score, others.count < Suspects.mostOthers {
            others.append(offset)
        }
    }

    /// 0: nothing of an error.
    static func score(_ line: LogLineText) -> Int {
        let short = LogLineText(line.original.prefix(length))
        var score = 0
        for (word, worth) in words where short.find(word, from: 0) != nil { score += worth }
        if signs.contains(where: { short.folded.starts(with: $0) }) { score += signWorth }
        if levels.contains(where: { short.find($0, from: 0) != nil }) { score += signWorth }
        guard score > 0 else { return 0 }
        for word in harmless where short.find(word, from: 0) != nil { score -= 4 }
        return max(0, min(score, 8))
    }
}
