// SPDX-License-Identifier: Apache-2.0

/// The bounds of the proxy that are not settings (those are `ProxyLimits`); sizes in bytes, times in milliseconds.
enum Limits {
    static let chunkLine = 256
    static let trailers = 8 << 10
    /// One read, and how much may wait for the other side before reading stops.
    static let read = 64 << 10
    static let buffered = 256 << 10
    /// The largest request that is kept for a second try.
    static let replay = 64 << 10
    /// After so long a quiet connection gives its buffers back.
    static let restTime: Int64 = 1_000
    static let connectTime: Int64 = 5_000
    static let answerTime: Int64 = 120_000
    /// The longest silence within an answer: event streams are quiet for long.
    static let streamTime: Int64 = 3_600_000
    /// How long a kept-alive connection may wait for its last request when another proxy has taken over.
    static let farewellTime: Int64 = 5_000
    /// How long what a visitor still sends after the last answer is read and thrown away.
    static let lingerTime: Int64 = 2_000
    /// How long an idle connection to an instance is kept: less than what application servers allow.
    static let poolTime: Int64 = 1_900
    /// A request that must not be sent twice only goes on a connection that was used so recently, or a fresh one.
    static let recentTime: Int64 = 300
    static let poolSize = 256
    /// How many requests may wait in a worker for an instance that takes them, and how often one is looked for.
    static let held = 1024
    static let holdPause: Int64 = 20
    /// How long an instance that refused a connection is asked after the others.
    static let avoidTime: Int64 = 1_000
    /// How often in all a request that may be repeated is sent on new connections.
    static let repeats = 2
    static let vias = 5
    /// Interim answers to one request: one a second for most of an hour.
    static let interims = 3_000
    // Of an HTTP/2 connection: requests at a time, how much of a body may come before it was passed on, how much of an
    // answer may wait, and how long after the announcement of the end requests are still taken.
    static let streams: UInt32 = 128
    static let streamWindow: UInt32 = 256 << 10
    static let streamBuffer = 64 << 10
    static let announceTime: Int64 = 1_000
}
