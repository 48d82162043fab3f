// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import Wire

/// A time zone of the IANA database, by its name. Moments are minutes since 1970.
public struct ScheduleZone: Sendable, Hashable, CustomStringConvertible {
    public let description: String
    private let zone: TimeZone

    public static let utc = ScheduleZone(description: "UTC", zone: .gmt)

    private init(description: String, zone: TimeZone) {
        self.description = description
        self.zone = zone
    }

    /// nil unless it is `UTC` or the name of a zone like `Europe/Berlin`. Short names, like EST, are none: they do not say
    /// whether they mean a place or an offset.
    public init?(_ name: String) {
        if name == "UTC" {
            self = .utc
            return
        }
        guard name.contains("/"), name.utf8.count <= 100, let zone = TimeZone(identifier: name) else {
            return nil
        }
        self.init(description: name, zone: zone)
    }

    /// What the clocks there show more than UTC, in minutes.
    func offset(_ minute: Int64) -> Int64 {
        let seconds = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(minute) * 60))
        return Int64((Double(seconds) / 60).rounded(.down))
    }

    /// What the clocks there show, as minutes since 1970 of a clock that is never changed.
    func local(_ minute: Int64) -> Int64 { minute + offset(minute) }

    /// The moment at which the clocks show a time for the first time; of a time that they pass over, the moment at which they do.
    func first(_ local: Int64) -> Int64 {
        let day: Int64 = 1440
        let (before, after) = (offset(local - day), offset(local + day))
        for offset in [max(before, after), min(before, after)] where self.offset(local - offset) == offset {
            return local - offset
        }
        // Passed over: the first moment after the change.
        var (low, high) = (local - day, local + day)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(middle) == after { high = middle } else { low = middle }
        }
        return high
    }
}

extension Timestamp {
    /// RFC 3339 with the offset that the clocks of a zone have then: `2026-11-23T10:26:00+01:00`.
    public func rfc3339(in zone: ScheduleZone) -> String {
        let minutes = zone.offset(milliseconds / 60_000)
        let local = Timestamp(milliseconds: milliseconds &+ minutes &* 60_000)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let size = abs(minutes)
        return "\(local.rfc3339.prefix(19))\(minutes < 0 ? "-" : "+")\(two(size / 60)):\(two(size % 60))"
    }
}
