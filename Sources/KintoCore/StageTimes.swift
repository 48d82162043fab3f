// SPDX-License-Identifier: Apache-2.0

/// How long the stages of a target's successful releases took, newest first: what is usual there.
public struct StageTimes: Sendable {
    /// A release, and its milliseconds by stage.
    public typealias Entry = (number: Int, timings: [String: Double])

    /// Of how many releases the median is taken, at most; and of how many at least for it to be called usual.
    public static let most = 10
    public static let least = 3

    private let entries: [Entry]

    /// - Parameter entries: in the order of their numbers, the highest first.
    public init(_ entries: [Entry]) { self.entries = entries }

    /// The medians, in milliseconds, over the last ten releases before `number` that had the stage at all: a rollback has no
    /// build, which says nothing about builds. `drain` is left out: visitors decide how long it takes.
    /// - Parameters:
    ///   - number: nil: of all.
    ///   - least: a stage of fewer releases has none.
    public func usual(before number: Int? = nil, least: Int = StageTimes.least) -> [String: Double] {
        var times: [String: [Double]] = [:]
        let names = Stage.allCases.map(\.rawValue).filter { $0 != Stage.drain.rawValue }
        let start = number.map(first(before:)) ?? 0
        for entry in entries[start...].prefix(StageTimes.window) {
            for name in names where times[name, default: []].count < StageTimes.most {
                if let time = entry.timings[name] { times[name, default: []].append(time) }
            }
        }
        return times.filter { $0.value.count >= least }.mapValues(StageTimes.median)
    }

    /// The index of the first entry with a lower number.
    private func first(before number: Int) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].number < number { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// How many releases are looked at for ten that had a stage.
    public static let window = 50

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// How long all of it usually takes, from the first stage to the swap; nil: nothing is usual yet.
    /// - Parameters:
    ///   - usual: medians by stage.
    ///   - passed: by stage, of one that is on its way. A stage that it left out, as a rollback does the build, does not count.
    ///   - stage: where it is; nil: at its start.
    public static func whole(_ usual: [String: Double], passed: [String: Double], at stage: Stage?) -> Double?
    {
        let stages = Stage.allCases
        let at = stage.flatMap { stages.firstIndex(of: $0) } ?? 0
        let counted = stages.indices.filter { $0 >= at || passed[stages[$0].rawValue] != nil }
        let times = counted.compactMap { usual[stages[$0].rawValue] }
        return times.isEmpty ? nil : times.reduce(0, +)
    }

    /// Whether a stage took so much longer than is usual that people want to know: twice as long, and a second at least.
    public static func isSlow(_ time: Double, usual: Double) -> Bool {
        time >= 2 * usual && time - usual >= 1000
    }

    /// `build took 4m10s, usually 38s`, for each stage that was slow, in their order.
    public static func slow(_ timings: [String: Double], usual: [String: Double]) -> [String] {
        Stage.allCases.compactMap { stage in
            guard let time = timings[stage.rawValue], let usual = usual[stage.rawValue],
                isSlow(time, usual: usual)
            else { return nil }
            return "\(stage.rawValue) took \(words(time)), usually \(words(usual))"
        }
    }

    /// `850ms`, `3.8s`, `38s`, `4m10s`, `1h02m`
    public static func words(_ milliseconds: Double) -> String {
        guard milliseconds.isFinite, milliseconds < 1e13 else { return "?" }
        let seconds = Int((milliseconds / 1000).rounded())
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return switch milliseconds {
        case ..<1000: "\(Int(milliseconds.rounded()))ms"
        case ..<9950: "\((milliseconds / 100).rounded() / 10)s"
        case _ where seconds < 60: "\(seconds)s"
        case _ where seconds < 3600: "\(seconds / 60)m\(two(seconds % 60))s"
        default: "\(seconds / 3600)h\(two(seconds / 60 % 60))m"
        }
    }
}
