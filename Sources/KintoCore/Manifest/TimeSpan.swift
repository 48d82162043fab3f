// SPDX-License-Identifier: Apache-2.0

/// A length of time as kinto.json writes it: `250ms`, `30s`, `15m`, `2h`; at most a day.
public struct TimeSpan: Sendable, Hashable, Codable, CustomStringConvertible {
    public let milliseconds: Int

    public init(milliseconds: Int) { self.milliseconds = milliseconds }
    public static func seconds(_ seconds: Int) -> TimeSpan { TimeSpan(milliseconds: seconds * 1000) }

    /// nil unless `text` is a whole number with one of the four units, and at most 24 hours.
    public init?(_ text: String) { self.init(text, upTo: 86_400_000) }

    /// The same for what may take longer than a day: `7d`, too.
    /// - Parameter longest: milliseconds.
    public init?(_ text: String, upTo longest: Int) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), digits.count <= 9 else { return nil }
        let unit: Int
        switch text.dropFirst(digits.count) {
        case "ms": unit = 1
        case "s": unit = 1000
        case "m": unit = 60_000
        case "h": unit = 3_600_000
        case "d" where longest > 86_400_000: unit = 86_400_000
        default: return nil
        }
        guard number <= longest / unit else { return nil }
        milliseconds = number * unit
    }

    public var duration: Duration { .milliseconds(milliseconds) }

    public var description: String {
        for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)]
        where milliseconds >= size && milliseconds % size == 0 { return "\(milliseconds / size)\(unit)" }
        return "\(milliseconds)ms"
    }

    /// In days if it is some.
    public var inDays: String {
        let day = 86_400_000
        return milliseconds >= day && milliseconds % day == 0 ? "\(milliseconds / day)d" : description
    }
}
