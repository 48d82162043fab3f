// SPDX-License-Identifier: Apache-2.0
public import Wire

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
    /// Runs of each type with a schedule, with their logs.
    public var runs = 100
    /// Steps of releases that are over, deliveries, and what triggers are recognised by when they come again.
    public var recordAge = 90 * RetentionSettings.day
    /// Entries of the audit log.
    public var audit = 100_000
    public var auditAge = 400 * RetentionSettings.day
    /// What was used within this time stays by itself.
    public var recent = 300_000
    /// A build is not started with less room.
    public var freeBytes = 512 << 20
    public var freeFiles = 10_000

    public static let day = 86_400_000
    /// So many of the newest are kept whatever their dates say, for a clock may be wrong.
    public static let least = 10

    private static let settings = NamedSettings<RetentionSettings>(
        "what is kept",
        [
            ("artifacts", .count, 1...Int.max, \.artifacts),
            ("artifact-bytes", .size, 0...Int.max, \.artifactBytes),
            ("artifact-age", .time, 60_000...Int.max, \.artifactAge),
            ("logs", .count, 1...Int.max, \.logs),
            ("log-bytes", .size, 0...Int.max, \.logBytes),
            ("log-age", .time, 60_000...Int.max, \.logAge),
            ("cache-bytes", .size, 0...Int.max, \.cacheBytes),
            ("cache-age", .time, 60_000...Int.max, \.cacheAge),
            ("releases", .count, 10...Int.max, \.releases),
            ("runs", .count, 1...Int.max, \.runs),
            ("record-age", .time, 3_600_000...Int.max, \.recordAge),
            ("audit", .count, 1000...Int.max, \.audit),
            ("audit-age", .time, 86_400_000...Int.max, \.auditAge),
            ("recent", .time, 0...Int.max, \.recent),
            ("free-bytes", .size, 0...Int.max, \.freeBytes),
            ("free-files", .count, 0...Int.max, \.freeFiles),
        ])

    /// The names of all settings.
    public static var names: [String] { settings.names }

    /// The defaults.
    public init() {}

    /// The defaults with changes.
    /// - Parameter texts: each `NAME=VALUE`: `artifacts=5`, `log-age=30d`, `cache-bytes=none`.
    /// - Throws: about the first that is none.
    public init(_ texts: [String]) throws(MalformedSetting) {
        try Self.settings.read(texts, into: &self)
    }
}

extension RetentionSettings {
    /// Entries of the audit log before it are too old.
    public var auditEnd: Timestamp {
        Timestamp(milliseconds: Timestamp.now.milliseconds &- Int64(min(auditAge, 1 << 50)))
    }
}
