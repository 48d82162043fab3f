// SPDX-License-Identifier: Apache-2.0
public import Wire

/// What has come of a schedule between two looks at the clock.
public struct DueTimes: Sendable, Equatable {
    /// Times at which nothing was run, and will not be.
    public struct Missed: Sendable, Equatable {
        public var count: Int
        public var first: Timestamp
        public var last: Timestamp
    }

    /// So late may one be that is run all the same.
    public static let grace: Int64 = 300_000
    /// A clock that is set back by more than this was wrong before.
    public static let longestReturn: Int64 = 3 * 3_600_000
    /// More are not counted.
    public static let mostMissed = 1000

    /// The last that came, unless it is too late for it.
    public var due: Timestamp?
    /// Those before it.
    public var missed: Missed?

    /// - Parameters:
    ///   - seen: nothing up to it is due any more.
    ///   - now: included.
    public init(_ schedule: Schedule, in zone: ScheduleZone, after seen: Timestamp, until now: Timestamp) {
        func next(_ time: Timestamp) -> Timestamp? {
            schedule.next(after: time, in: zone).flatMap { $0 <= now ? $0 : nil }
        }
        func miss(_ time: Timestamp, _ missed: inout Missed?) {
            missed = Missed(count: (missed?.count ?? 0) + 1, first: missed?.first ?? time, last: time)
        }
        let early = Timestamp(milliseconds: now.milliseconds &- DueTimes.grace &- 1)
        var time = seen
        while let late = next(time), late <= early, missed?.count ?? 0 < DueTimes.mostMissed {
            miss(late, &missed)
            time = late
        }
        time = max(time, early)
        while let late = next(time) {
            if let due { miss(due, &missed) }
            due = late
            time = late
        }
    }
}
