// SPDX-License-Identifier: Apache-2.0
public import Wire

extension Schedule {
    /// Enough for each that comes at all: a 29 February on a certain weekday may be 40 years away.
    private static let horizon: Int64 = 366 * 50
    private static let day: Int64 = 1440
    /// The year 9000. Before 1970 there is nothing either.
    private static let end: Int64 = 221_845_392_000_000

    /// The first moment after another one at which it comes; nil: beyond what calendars know.
    public func next(after time: Timestamp, in zone: ScheduleZone) -> Timestamp? {
        guard time.milliseconds < Schedule.end else { return nil }
        let minute = time.milliseconds < 0 ? -1 : time.milliseconds / 60_000
        let first = Schedule.floor(zone.local(minute)) - 2
        guard let found = isContinuous ? passing(minute, zone, first) : named(minute, zone, first) else {
            return nil
        }
        return Timestamp(milliseconds: found * 60_000)
    }

    /// Of times of day: each comes once on its day. What is passed over comes right after the change, what comes twice counts
    /// the first time. So later ones never come before earlier ones, and the first that is still to come is the next.
    private func named(_ after: Int64, _ zone: ScheduleZone, _ first: Int64) -> Int64? {
        let times = times
        for day in first...(first + Schedule.horizon) where matches(day: day) {
            guard let last = times.last, zone.first(day * Schedule.day + last) > after else { continue }
            var (low, high) = (-1, times.count - 1)
            while high - low > 1 {
                let middle = (low + high) / 2
                if zone.first(day * Schedule.day + times[middle]) > after {
                    high = middle
                } else {
                    low = middle
                }
            }
            return zone.first(day * Schedule.day + times[high])
        }
        return nil
    }

    /// Minute by minute as the time passes, on the days that it comes on.
    private func passing(_ after: Int64, _ zone: ScheduleZone, _ first: Int64) -> Int64? {
        for day in first...(first + Schedule.horizon) where matches(day: day) {
            guard let found = passing(after, zone, on: day) else { continue }
            // Where clocks are set back over midnight, a day goes on after the next one has begun.
            guard zone.first((day + 1) * Schedule.day) < found, matches(day: day + 1) else { return found }
            return min(found, passing(after, zone, on: day + 1) ?? found)
        }
        return nil
    }

    private func passing(_ after: Int64, _ zone: ScheduleZone, on day: Int64) -> Int64? {
        // No zone is farther from UTC.
        let (start, end) = (day * Schedule.day - 16 * 60, (day + 1) * Schedule.day + 16 * 60)
        guard after + 1 < end else { return nil }
        return (max(start, after + 1)..<end).first { minute in
            let local = zone.local(minute)
            let time = local - Schedule.floor(local) * Schedule.day
            return Schedule.floor(local) == day && Schedule.has(hours, time / 60)
                && Schedule.has(minutes, time % 60)
        }
    }

    /// The day of a minute.
    static func floor(_ minute: Int64) -> Int64 {
        minute / day - (minute % day < 0 ? 1 : 0)
    }
}
