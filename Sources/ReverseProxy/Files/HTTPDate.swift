// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The field that says when an answer was made (RFC 9110, 6.6.1), made anew once a second.
struct HTTPDate {
    private var second = time_t(0)
    private var field: [UInt8] = []

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// A whole line.
    mutating func line() -> [UInt8] {
        let now = time(nil)
        guard now != second else { return field }
        field = Array(HTTPDate.line(now).utf8)
        second = now
        return field
    }

    /// - Parameter now: seconds since 1970.
    static func line(_ now: time_t) -> String {
        var (now, parts) = (now, tm())
        guard gmtime_r(&now, &parts) != nil else { return "" }
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (day, month) = (Int(parts.tm_wday) % 7, Int(parts.tm_mon) % 12)
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map(two).joined(separator: ":")
        return
            "Date: \(days[day]), \(two(parts.tm_mday)) \(months[month]) \(Int(parts.tm_year) + 1900) \(clock) GMT\r\n"
    }
}
