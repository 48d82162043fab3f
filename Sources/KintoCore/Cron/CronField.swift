// SPDX-License-Identifier: Apache-2.0

/// One of the five fields of a schedule: what may stand in it.
struct CronField {
    /// What stands in it.
    struct Value {
        /// Bit N: N is one of them.
        var bits: UInt64 = 0
        /// It begins with `*`.
        var isStar = false
    }

    let name: String
    let range: ClosedRange<Int>
    /// The first one stands for the first of the range.
    var names: [String] = []

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let day = CronField(name: "day", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    static let weekday = CronField(
        name: "weekday", range: 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

    /// Lists of numbers, names, ranges and steps.
    func read(_ text: Substring) throws(ScheduleProblem) -> Value {
        var value = Value(isStar: text.hasPrefix("*"))
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            value.bits |= try read(part: part)
        }
        return value
    }

    private func read(part: Substring) throws(ScheduleProblem) -> UInt64 {
        let pieces = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let ends = (pieces.first ?? "").split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        var (low, high) = (range.lowerBound, range.upperBound)
        if pieces.first == "*" {
            // Sunday once.
            if high == 7 { high = 6 }
        } else {
            low = try number(ends.first ?? "")
            high = try ends.count > 1 ? number(ends[1]) : low
            // To Sunday: at the end of the week.
            if range.upperBound == 7, high == 0, low > 0, ends.count > 1 { high = 7 }
        }
        guard low <= high else {
            throw ScheduleProblem(
                "the \(name) \(shown(part)) goes backwards: write \(low)-\(range.upperBound),\(range.lowerBound)-\(high)"
            )
        }
        var step = 1
        if pieces.count > 1 {
            guard ends.count > 1 || pieces[0] == "*" else {
                throw ScheduleProblem(
                    "the \(name) \(shown(part)) has a step without a range: write \(low)-\(range.upperBound)/\(shown(pieces[1]))"
                )
            }
            guard let number = CronField.digits(pieces[1]), (1...range.upperBound).contains(number) else {
                throw ScheduleProblem(
                    "the \(name) \(shown(part)) has a step that is not from 1 to \(range.upperBound)")
            }
            step = number
        }
        return stride(from: low, through: high, by: step).reduce(0) { $0 | 1 << UInt64($1) }
    }

    private func number(_ text: Substring) throws(ScheduleProblem) -> Int {
        let number: Int? =
            if let index = names.firstIndex(of: text.lowercased()) {
                range.lowerBound + index
            } else { CronField.digits(text) }
        guard let number, range.contains(number) else {
            let words = names.isEmpty ? "" : ", or \(names.prefix(3).joined(separator: ", ")) …"
            throw ScheduleProblem(
                "the \(name) is from \(range.lowerBound) to \(range.upperBound)\(words), not '\(shown(text))'"
            )
        }
        return number
    }

    /// At most four of them.
    private static func digits(_ text: Substring) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    private func shown(_ text: Substring) -> String {
        text.unicodeScalars.prefix(30).map { $0.escaped(asASCII: true) }.joined()
    }
}
