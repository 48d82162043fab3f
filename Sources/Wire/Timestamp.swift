// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A moment of the wall clock, in milliseconds since 1970-01-01T00:00:00Z. For showing and storing; durations are
/// measured with the monotonic clock.
public struct Timestamp: Sendable, Hashable, Comparable, Codable {
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// When this machine started, by its clock as it is now (CLOCK_BOOTTIME, clock_gettime(2)); nil: not known.
    public static var boot: Timestamp? {
        var time = timespec()
        guard clock_gettime(CLOCK_BOOTTIME, &time) == 0 else { return nil }
        return Timestamp(milliseconds: now.milliseconds - Int64(time.tv_sec) * 1000)
    }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    /// RFC 3339 in UTC with milliseconds: `2026-11-23T09:26:00.123Z`, always 24 bytes for years 0 to 9999.
    public var rfc3339: String { String(decoding: rfc3339Bytes, as: UTF8.self) }

    /// The bytes of `rfc3339`.
    public var rfc3339Bytes: [UInt8] {
        let day = floorDivide(milliseconds, 86_400_000)
        var rest = milliseconds - day * 86_400_000
        let (year, month, dayOfMonth) = Timestamp.civil(fromDays: day)
        var out: [UInt8] = []
        out.reserveCapacity(24)
        func put(_ value: Int64, _ width: Int) {
            let digits = Array(String(value).utf8)
            for _ in 0..<max(0, width - digits.count) { out.append(UInt8(ascii: "0")) }
            out.append(contentsOf: digits)
        }
        put(year, 4)
        out.append(UInt8(ascii: "-"))
        put(month, 2)
        out.append(UInt8(ascii: "-"))
        put(dayOfMonth, 2)
        out.append(UInt8(ascii: "T"))
        put(rest / 3_600_000, 2)
        rest %= 3_600_000
        out.append(UInt8(ascii: ":"))
        put(rest / 60_000, 2)
        rest %= 60_000
        out.append(UInt8(ascii: ":"))
        put(rest / 1000, 2)
        out.append(UInt8(ascii: "."))
        put(rest % 1000, 3)
        out.append(UInt8(ascii: "Z"))
        return out
    }

    /// Proleptic Gregorian date of a day count since 1970-01-01, by 400-year eras of 146,097 days.
    public static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

private func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    let quotient = a / b
    return a % b < 0 ? quotient - 1 : quotient
}
