// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// How much of a processor the reading of output may take: what it wants for a moment, a tenth in the long run. Whoever
/// writes faster than that waits at the full pipe, and neither the writer nor the reader takes the processor from others.
struct ReadingBudget {
    /// The longest that is read at once, in milliseconds.
    static let turn: Int64 = 5
    /// Of processor time, in microseconds: more than any program says at its start.
    private static let most: Int64 = 20_000
    private static let share: Int64 = 10

    private var left = most
    private var filledAt = ReadingBudget.time(CLOCK_MONOTONIC)

    /// Milliseconds until it may be read again; nil: now.
    var pause: Int64? {
        let there = left + gained
        guard there <= 0 else { return nil }
        // For a few milliseconds of work: not for every line.
        return (2_000 - there) * ReadingBudget.share / 1000
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
        (ReadingBudget.time(CLOCK_MONOTONIC) - filledAt) / ReadingBudget.share
    }

    /// Microseconds.
    private static func time(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
