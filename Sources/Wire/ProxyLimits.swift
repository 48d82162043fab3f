// SPDX-License-Identifier: Apache-2.0

/// The bounds of the proxy that can be set; sizes in bytes, times in milliseconds.
public struct ProxyLimits: Sendable, Equatable {
    /// Of a whole head, request's or answer's, with its first line.
    public var headerBytes = 32 << 10
    /// Fields of a head.
    public var headerFields = 100
    /// The first line of a head.
    public var requestLine = 8 << 10
    /// From the first byte of a request to the end of its head.
    public var headerTime = 10_000
    /// Between two requests of a kept connection.
    public var idleTime = 75_000
    /// The longest time without progress of a visitor that has to send its body or to read its answer.
    public var stallTime = 60_000
    /// Visitors' connections in all; `.max`: as many as the process has descriptors for. More wait to be accepted.
    public var connections = Int.max
    /// Visitors' connections from one address, `.max`: no bound. More are answered 503.
    public var addressConnections = 1000
    /// The same for an address of the loopback network: there a proxy in front speaks for all its visitors.
    public var loopbackConnections = Int.max

    private static let settings = NamedSettings<ProxyLimits>(
        "a limit",
        [
            ("header-bytes", .size, 1024...(1 << 20), \.headerBytes),
            ("header-fields", .count, 8...10_000, \.headerFields),
            ("request-line", .size, 64...(1 << 20), \.requestLine),
            ("header-time", .time, 100...3_600_000, \.headerTime),
            ("idle-time", .time, 100...86_400_000, \.idleTime),
            ("stall-time", .time, 100...86_400_000, \.stallTime),
            ("connections", .count, 1...Int.max, \.connections),
            ("address-connections", .count, 1...Int.max, \.addressConnections),
            ("loopback-connections", .count, 1...Int.max, \.loopbackConnections),
        ])

    /// The names of all settings.
    public static var names: [String] { settings.names }

    /// The defaults.
    public init() {}

    /// The defaults with changes.
    /// - Parameter texts: each `NAME=VALUE`: `idle-time=75s`, `header-bytes=64KiB`, `connections=none`.
    /// - Throws: about the first that is none.
    public init(_ texts: [String]) throws(MalformedSetting) {
        try Self.settings.read(texts, into: &self)
    }

    /// What differs from the defaults, as `init(_:)` reads it.
    public var texts: [String] { Self.settings.texts(self, beside: ProxyLimits()) }
}
