// SPDX-License-Identifier: Apache-2.0

/// A setting that is none: the sentence lists the names, or says what the value must be.
public struct MalformedSetting: Error, CustomStringConvertible, Equatable {
    public let description: String
}

/// The settings of a `Root` that are given as `NAME=VALUE`: sizes in bytes, times in milliseconds, numbers, and `none`
/// for `Int.max` where that is in range.
public struct NamedSettings<Root: Sendable>: Sendable {
    /// What a value is.
    public enum Unit: Sendable { case size, time, count }

    private struct Setting: Sendable {
        let name: String
        let unit: Unit
        let range: ClosedRange<Int>
        let path: any WritableKeyPath<Root, Int> & Sendable
    }

    private let what: String
    private let settings: [Setting]

    /// - Parameters:
    ///   - what: what they are, before the word "is": "a limit".
    ///   - settings: each with the values that it may have.
    public init(
        _ what: String,
        _ settings: [(
            name: String, unit: Unit, range: ClosedRange<Int>,
            path: any WritableKeyPath<Root, Int> & Sendable
        )]
    ) {
        self.what = what
        self.settings = settings.map { Setting(name: $0.name, unit: $0.unit, range: $0.range, path: $0.path) }
    }

    /// The names, in their order.
    public var names: [String] { settings.map(\.name) }

    /// Changes what the texts name.
    /// - Throws: about the first that is none.
    public func read(_ texts: [String], into root: inout Root) throws(MalformedSetting) {
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let setting = settings.first(where: { $0.name == parts[0] }) else {
                throw MalformedSetting(
                    description:
                        "\(what) is NAME=VALUE, not '\(text)'; the names are \(names.joined(separator: ", "))"
                )
            }
            guard let value = value(parts[1], setting.unit), setting.range.contains(value) else {
                throw MalformedSetting(
                    description: "\(setting.name) wants \(wanted(setting)), not '\(parts[1])'")
            }
            root[keyPath: setting.path] = value
        }
    }

    /// What differs, as `read` takes it.
    public func texts(_ root: Root, beside standard: Root) -> [String] {
        settings.filter { root[keyPath: $0.path] != standard[keyPath: $0.path] }
            .map { "\($0.name)=\(text(root[keyPath: $0.path], $0.unit))" }
    }

    private func units(_ unit: Unit) -> [(name: String, factor: Int)] {
        switch unit {
        case .size: [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]
        case .time: [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
        case .count: [("", 1)]
        }
    }

    private func value(_ text: Substring, _ unit: Unit) -> Int? {
        if text == "none" { return .max }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        // So few that no unit makes them too large.
        guard !digits.isEmpty, digits.count <= 9, let number = Int(digits) else { return nil }
        let rest = text.dropFirst(digits.count)
        guard let factor = units(unit).first(where: { $0.name == rest })?.factor else { return nil }
        return number * factor
    }

    private func text(_ value: Int, _ unit: Unit) -> String {
        if value == .max { return "none" }
        for (name, factor) in units(unit) where value >= factor && value % factor == 0 {
            return "\(value / factor)\(name)"
        }
        return "\(value)"
    }

    private func wanted(_ setting: Setting) -> String {
        let low = text(setting.range.lowerBound, setting.unit)
        let high = text(setting.range.upperBound, setting.unit)
        let isBounded = high != "none"
        return switch setting.unit {
        case .size where isBounded: "a size from \(low) to \(high), like 32KiB"
        case .size: "a size like 500MiB or 20GiB, or none"
        case .time where isBounded: "a time from \(low) to \(high), like 30s"
        case .time: "a time of at least \(low), like 12h or 90d, or none"
        case .count where isBounded: "a number from \(low) to \(high)"
        case .count: "a number of at least \(low), or none"
        }
    }
}
