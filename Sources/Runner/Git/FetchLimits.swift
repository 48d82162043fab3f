// SPDX-License-Identifier: Apache-2.0
public import Wire

/// What a fetch may take of this host and of its time, whatever the other side does; sizes in bytes, times in milliseconds.
public struct FetchLimits: Sendable, Equatable {
    /// From the start until the other side has listed its branches.
    public var connectTime = 60_000
    /// Without a sign of the other side, until everything has come.
    public var stallTime = 60_000
    /// Of the whole; the submodules of a release have the same time together.
    public var totalTime = 600_000
    /// Received by one fetch.
    public var bytes = 8 << 30
    /// Received by one fetch: commits, directories, files.
    public var objects = 10_000_000
    /// Of one file of a checkout, which goes through the server's memory.
    public var fileBytes = 1 << 30
    /// Of the process that fetches.
    public var memory = 2 << 30
    /// Of one release, those of submodules included.
    public var submodules = 50

    /// Submodules within each other.
    static let submoduleDepth = 5

    private static let settings = NamedSettings<FetchLimits>(
        "a limit of fetches",
        [
            ("connect-time", .time, 100...3_600_000, \.connectTime),
            ("stall-time", .time, 100...3_600_000, \.stallTime),
            ("total-time", .time, 1000...86_400_000, \.totalTime),
            ("bytes", .size, 1024...(1 << 50), \.bytes),
            ("objects", .count, 1...50_000_000, \.objects),
            ("file-bytes", .size, 1024...(16 << 30), \.fileBytes),
            ("memory", .size, (64 << 20)...(1 << 50), \.memory),
            ("submodules", .count, 0...1000, \.submodules),
        ])

    /// The names of all settings.
    public static var names: [String] { settings.names }

    /// The defaults.
    public init() {}

    /// The defaults with changes.
    /// - Parameter texts: each `NAME=VALUE`: `total-time=30m`, `bytes=2GiB`.
    /// - Throws: about the first that is none.
    public init(_ texts: [String]) throws(MalformedSetting) {
        try Self.settings.read(texts, into: &self)
    }

    /// What differs from the defaults, as `init(_:)` reads it.
    public var texts: [String] { Self.settings.texts(self, beside: FetchLimits()) }
}
