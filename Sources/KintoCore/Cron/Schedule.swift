// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// When something is to run: the five fields of crontab(5). Pure; in which zone it is meant is said when it is asked.
public struct Schedule: Sendable, Hashable, CustomStringConvertible {
    /// As it was written.
    public let description: String
    /// Bit N: N is one of them.
    let minutes, hours, days, months: UInt64
    /// The same, Sunday is 0.
    let weekdays: UInt64
    /// Minutes or hours begin with `*`: it goes on with the time as it passes, also where the clock is changed. Else it names
    /// times of day, each of which comes once a day, whatever the clock does.
    let isContinuous: Bool
    /// One of the two day fields begins with `*`: the other one decides. Else a day of either is one.
    let needsBothDays: Bool

    init(
        _ text: String, minutes: CronField.Value, hours: CronField.Value, days: CronField.Value,
        months: CronField.Value, weekdays: CronField.Value
    ) {
        description = text
        self.minutes = minutes.bits
        self.hours = hours.bits
        self.days = days.bits
        self.months = months.bits
        // 7 is Sunday, too.
        self.weekdays = (weekdays.bits | weekdays.bits >> 7) & 0x7F
        isContinuous = minutes.isStar || hours.isStar
        needsBothDays = days.isStar || weekdays.isStar
    }

    /// Whether it comes on a day, counted from 1970-01-01.
    func matches(day: Int64) -> Bool {
        let date = Timestamp.civil(fromDays: day)
        guard Schedule.has(months, date.month) else { return false }
        let weekday = ((day + 4) % 7 + 7) % 7
        let (isDay, isWeekday) = (Schedule.has(days, date.day), Schedule.has(weekdays, weekday))
        return needsBothDays ? isDay && isWeekday : isDay || isWeekday
    }

    /// Whether there is any such day.
    var everComes: Bool {
        guard needsBothDays else { return true }
        let lengths: [Int64] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return lengths.enumerated().contains { month, length in
            Schedule.has(months, Int64(month) + 1) && (1...length).contains { Schedule.has(days, $0) }
        }
    }

    /// The times of day, in minutes, that it names; ascending.
    var times: [Int64] {
        (0..<24).filter { Schedule.has(hours, $0) }.flatMap { hour in
            (0..<60).filter { Schedule.has(minutes, $0) }.map { hour * 60 + $0 }
        }
    }

    static func has(_ bits: UInt64, _ number: Int64) -> Bool {
        (0..<64).contains(number) && bits & (1 << UInt64(number)) != 0
    }
}
