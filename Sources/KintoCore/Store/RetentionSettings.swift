// SPDX-License-Identifier: Apache-2.0

/// What is kept and for how long. A count and an age are of each environment, bytes of the whole home; `.max`: without a
/// bound.
public struct RetentionSettings: Sendable, Equatable {
    /// Artifacts of releases that were live, beside that which is.
    public var artifacts = 10
    public var artifactBytes = Int.max
    public var artifactAge = Int.max
    /// Releases whose logs are kept.
    public var logs = 200
    public var logBytes = 5 << 30
    public var logAge = 90 * RetentionSettings.day
    public var cacheBytes = 20 << 30
    /// Since the last build that used it.
    public var cacheAge = 30 * RetentionSettings.day
    /// Releases in the history.
    public var releases = 1000
    /// Steps of releases that are over, deliveries, and what triggers are recognised by when they come again.
    public var recordAge = 90 * RetentionSettings.day
    /// What was used within this time stays by itself.
    public var recent = 300_000
    /// A build is not started with less room.
    public var freeBytes = 512 << 20
    public var freeFiles = 10_000

    public static let day = 86_400_000
    /// So many of the newest are kept whatever their dates say, for a clock may be wrong.
    public static let least = 10

    /// A setting that is none: the sentence lists the names, or says what the value must be.
    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    private enum Unit { case size, time, count }

    private static let settings:
        [(name: String, unit: Unit, least: Int, path: any WritableKeyPath<RetentionSettings, Int> & Sendable)] =
            [
                ("artifacts", .count, 1, \.artifacts), ("artifact-bytes", .size, 0, \.artifactBytes),
                ("artifact-age", .time, 60_000, \.artifactAge), ("logs", .count, 1, \.logs),
                ("log-bytes", .size, 0, \.logBytes), ("log-age", .time, 60_000, \.logAge),
                ("cache-bytes", .size, 0, \.cacheBytes), ("cache-age", .time, 60_000, \.cacheAge),
                ("releases", .count, 10, \.releases), ("record-age", .time, 3_600_000, \.recordAge),
                ("recent", .time, 0, \.recent), ("free-bytes", .size, 0, \.freeBytes),
                ("free-files", .count, 0, \.freeFiles),
            ]

    /// The names of all settings.
    public static var names: [String] { settings.map(\.name) }

    /// The defaults.
    public init() {}

    /// The defaults with changes.
    /// - Parameter texts: each `NAME=VALUE`: `artifacts=5`, `log-age=30d`, `cache-bytes=none`.
    /// - Throws: `Malformed` of the first that is none.
    public init(_ texts: [String]) throws(Malformed) {
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let setting = Self.settings.first(where: { $0.name == parts[0] }) else {
                throw Malformed(
                    description:
                        "what is kept is NAME=VALUE, not '\(text)'; the names are \(Self.names.joined(separator: ", "))"
                )
            }
            guard let value = Self.value(parts[1], setting.unit), value >= setting.least else {
                let example =
                    switch setting.unit {
                    case .size: "a size like 500MiB or 20GiB"
                    case .time: "a time like 12h or 90d, at least a minute"
                    case .count: "a number of at least \(setting.least)"
                    }
                throw Malformed(description: "\(setting.name) wants \(example), or none; not '\(parts[1])'")
            }
            self[keyPath: setting.path] = value
        }
    }

    private static func value(_ text: Substring, _ unit: Unit) -> Int? {
        if text == "none" { return .max }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, digits.count <= 9, let number = Int(digits) else { return nil }
        let units: [(name: String, factor: Int)] =
            switch unit {
            case .size: [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]
            case .time: [("d", day), ("h", 3_600_000), ("m", 60_000)]
            case .count: [("", 1)]
            }
        guard let factor = units.first(where: { $0.name == text.dropFirst(digits.count) })?.factor else {
            return nil
        }
        let (value, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? .max : value
    }
}
