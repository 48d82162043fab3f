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

    /// A setting that is none: the sentence lists the names, or says what the value must be.
    public struct Malformed: Error, CustomStringConvertible, Equatable {
        public let description: String
    }

    private enum Unit {
        case size, time, count
    }

    private struct Setting {
        let name: String
        let unit: Unit
        let range: ClosedRange<Int>
        let path: any WritableKeyPath<ProxyLimits, Int> & Sendable
    }

    private static let settings = [
        Setting(name: "header-bytes", unit: .size, range: 1024...(1 << 20), path: \.headerBytes),
        Setting(name: "header-fields", unit: .count, range: 8...10_000, path: \.headerFields),
        Setting(name: "request-line", unit: .size, range: 64...(1 << 20), path: \.requestLine),
        Setting(name: "header-time", unit: .time, range: 100...3_600_000, path: \.headerTime),
        Setting(name: "idle-time", unit: .time, range: 100...86_400_000, path: \.idleTime),
        Setting(name: "stall-time", unit: .time, range: 100...86_400_000, path: \.stallTime),
        Setting(name: "connections", unit: .count, range: 1...Int.max, path: \.connections),
        Setting(name: "address-connections", unit: .count, range: 1...Int.max, path: \.addressConnections),
        Setting(name: "loopback-connections", unit: .count, range: 1...Int.max, path: \.loopbackConnections),
    ]

    /// The names of all settings.
    public static var names: [String] { settings.map(\.name) }

    /// The defaults.
    public init() {}

    /// The defaults with changes.
    /// - Parameter texts: each `NAME=VALUE`: `idle-time=75s`, `header-bytes=64KiB`, `connections=none`.
    /// - Throws: `Malformed` of the first that is none.
    public init(_ texts: [String]) throws(Malformed) {
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let setting = Self.settings.first(where: { $0.name == parts[0] }) else {
                throw Malformed(
                    description:
                        "a limit is NAME=VALUE, not '\(text)'; the names are \(Self.names.joined(separator: ", "))"
                )
            }
            guard let value = Self.value(parts[1], setting.unit), setting.range.contains(value) else {
                throw Malformed(
                    description: "\(setting.name) wants \(Self.wanted(setting)), not '\(parts[1])'")
            }
            self[keyPath: setting.path] = value
        }
    }

    /// What differs from the defaults, as `init(_:)` reads it.
    public var texts: [String] {
        let standard = ProxyLimits()
        return Self.settings.filter { self[keyPath: $0.path] != standard[keyPath: $0.path] }
            .map { "\($0.name)=\(Self.text(self[keyPath: $0.path], $0.unit))" }
    }

    private static func units(_ unit: Unit) -> [(name: String, factor: Int)] {
        switch unit {
        case .size: [("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]
        case .time: [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
        case .count: [("", 1)]
        }
    }

    private static func value(_ text: Substring, _ unit: Unit) -> Int? {
        if unit == .count, text == "none" { return .max }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, digits.count <= 9, let number = Int(digits) else { return nil }
        let rest = text.dropFirst(digits.count)
        guard let factor = units(unit).first(where: { $0.name == rest })?.factor else { return nil }
        return number * factor
    }

    private static func text(_ value: Int, _ unit: Unit) -> String {
        if value == .max { return "none" }
        for (name, factor) in units(unit) where value >= factor && value % factor == 0 {
            return "\(value / factor)\(name)"
        }
        return "\(value)"
    }

    private static func wanted(_ setting: Setting) -> String {
        let low = text(setting.range.lowerBound, setting.unit)
        let high = text(setting.range.upperBound, setting.unit)
        return switch setting.unit {
        case .size: "a size from \(low) to \(high), like 32KiB"
        case .time: "a time from \(low) to \(high), like 30s"
        case .count where high == "none": "a number like 1000, or none"
        case .count: "a number from \(low) to \(high)"
        }
    }
}
