// SPDX-License-Identifier: Apache-2.0

/// An ordered list of named texts, the form in which kinto's own processes speak to each other and keep small
/// state files: `name=value` entries, each ended by a NUL byte. A name may come several times; order counts.
public struct Fields: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        public let name: String
        public let value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public private(set) var entries: [Entry]

    public init() { entries = [] }

    /// Adds an entry. NUL bytes, which the form cannot hold, are dropped from the value.
    public mutating func add(_ name: String, _ value: String) {
        let clean =
            value.utf8.contains(0) ? String(decoding: value.utf8.filter { $0 != 0 }, as: UTF8.self) : value
        entries.append(Entry(name: name, value: clean))
    }

    public mutating func add(_ name: String, _ value: some FixedWidthInteger) { add(name, String(value)) }
    public mutating func add(_ name: String, _ value: Bool) { add(name, value ? "1" : "0") }

    /// The first value of that name.
    public subscript(name: String) -> String? { entries.first { $0.name == name }?.value }

    /// All values of that name, in order.
    public func all(_ name: String) -> [String] { entries.filter { $0.name == name }.map(\.value) }

    public func integer<T: FixedWidthInteger>(_ name: String, as type: T.Type = T.self) -> T? {
        self[name].flatMap { T($0) }
    }

    public func flag(_ name: String) -> Bool { self[name] == "1" }

    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes.append(contentsOf: entry.name.utf8)
            bytes.append(UInt8(ascii: "="))
            bytes.append(contentsOf: entry.value.utf8)
            bytes.append(0)
        }
        return bytes
    }

    /// - Throws: `WireError.malformed` when the bytes are cut short or an entry has no name.
    public init(decoding bytes: some Collection<UInt8>) throws(WireError) {
        var entries: [Entry] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let end = rest.firstIndex(of: 0) else { throw .malformed("entry without an end") }
            let entry = rest[..<end]
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")), equals != entry.startIndex else {
                throw .malformed("entry without a name")
            }
            entries.append(
                Entry(
                    name: String(decoding: entry[..<equals], as: UTF8.self),
                    value: String(decoding: entry[entry.index(after: equals)...], as: UTF8.self)))
            rest = rest[rest.index(after: end)...]
        }
        self.entries = entries
    }

    func required(_ name: String) throws(WireError) -> String {
        guard let value = self[name] else { throw .missing(name) }
        return value
    }

    func requiredInteger<T: FixedWidthInteger>(_ name: String, as type: T.Type = T.self) throws(WireError)
        -> T
    {
        guard let value = T(try required(name)) else { throw .malformed(name) }
        return value
    }
}

/// Bytes between kinto's own processes that do not say what they should.
public enum WireError: Error, Sendable, Equatable, CustomStringConvertible {
    case malformed(String)
    case missing(String)
    case tooLarge(Int)

    public var description: String {
        switch self {
        case .malformed(let what): "malformed message: \(what)"
        case .missing(let name): "malformed message: '\(name)' is missing"
        case .tooLarge(let size): "message of \(size) bytes is too large"
        }
    }
}
