// SPDX-License-Identifier: Apache-2.0

/// How many answers took how long: counts between fixed bounds, which can be added and subtracted.
public struct AnswerTimes: Sendable, Equatable, CustomStringConvertible {
    /// Upper bounds in milliseconds; what is above all of them has a count of its own.
    public static let bounds: [Int64] = [
        1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 2_000, 3_000, 5_000,
        10_000,
        30_000,
    ]

    /// One for each bound, and the last; empty: all zero.
    public private(set) var counts: [UInt64]

    public init(counts: [UInt64] = []) {
        let isAny = counts.count == AnswerTimes.bounds.count + 1 && counts.contains { $0 > 0 }
        self.counts = isAny ? counts : []
    }

    /// What `description` gives; what does not have its form counts as nothing.
    public init(_ text: String) { self.init(counts: text.split(separator: " ").compactMap { UInt64($0) }) }

    public var description: String { counts.map(String.init).joined(separator: " ") }
    public var isEmpty: Bool { counts.allSatisfy { $0 == 0 } }
    public var total: UInt64 { counts.reduce(0, &+) }

    /// Where an answer counts.
    public static func bucket(_ milliseconds: Int64) -> Int {
        bounds.firstIndex { milliseconds < $0 } ?? bounds.count
    }

    public static func += (sum: inout AnswerTimes, part: AnswerTimes) {
        guard !part.counts.isEmpty else { return }
        guard !sum.counts.isEmpty else { return sum = part }
        for index in sum.counts.indices { sum.counts[index] &+= part.counts[index] }
    }

    /// What came since an earlier state of the same counts.
    public func grown(since earlier: AnswerTimes) -> AnswerTimes {
        guard !earlier.counts.isEmpty, !counts.isEmpty else { return self }
        return AnswerTimes(counts: zip(counts, earlier.counts).map { $0 - min($0, $1) })
    }

    /// The time in milliseconds within which a share of the answers came, as if they were spread evenly between the bounds; nil
    /// when there are none.
    /// - Parameter share: 0 to 1.
    public func within(_ share: Double) -> Double? {
        let wanted = Double(total) * share
        guard wanted > 0 else { return nil }
        var before = 0.0
        for (index, count) in counts.enumerated() where count > 0 {
            let now = before + Double(count)
            if now >= wanted {
                let low = index == 0 ? 0 : Double(AnswerTimes.bounds[index - 1])
                guard index < AnswerTimes.bounds.count else { return low }
                return low + (Double(AnswerTimes.bounds[index]) - low) * (wanted - before) / Double(count)
            }
            before = now
        }
        return nil
    }
}
