// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// How much of a processor the reading of output may take: what it wants for a moment, in the long run a tenth, of what a build
/// says a twentieth. Whoever writes faster than that waits at the full pipe, and neither the writer nor the reader takes the
/// processor from others.
struct ReadingBudget {
    /// The longest that is read at once, in microseconds of processor time: whoever answers visitors may come so much later by it.
    static let turn: Int64 = 400
    /// More than any program says at its start, of the same.
    private static let most: Int64 = 20_000

    /// One of so many parts of a processor.
    private let share: Int64
    private var left = most
    private var filledAt = ReadingBudget.time(CLOCK_MONOTONIC)

    init(isBackground: Bool) { share = isBackground ? 20 : 10 }

    /// Milliseconds until it may be read again; nil: now.
    var pause: Int64? {
        let there = left + gained
        guard there <= 0 else { return nil }
        return (ReadingBudget.turn - there) * share / 1000
    }

    static var processorTime: Int64 { time(CLOCK_THREAD_CPUTIME_ID) }

    mutating func spend(since began: Int64) {
        let now = ReadingBudget.time(CLOCK_MONOTONIC)
        left = min(ReadingBudget.most, left + gained)
        filledAt = now
        left -= ReadingBudget.processorTime - began
    }

    /// Since it was filled last.
    private var gained: Int64 {
        (ReadingBudget.time(CLOCK_MONOTONIC) - filledAt) / share
    }

    /// Microseconds.
    private static func time(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
