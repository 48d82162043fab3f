// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// What a rule looks for in a line: literal text, in which letters match regardless of case, and holes. `^` at the
/// beginning binds it to the beginning of the line (after its indentation). A hole's name is its
/// kind, see ``Hole``.
///
///     "Cannot find module '{word}'"
///     "{path}:{number}:{number2}: error: {text}"
///
/// Each literal is looked for once, after the one before it, and only the first is tried again, a few times: the
/// time is at most the line's length times that of the literals, whatever is in it.
struct LogPattern: Sendable {
    private enum Part: Sendable {
        case literal([UInt8])
        case hole(String)
    }

    private let parts: [Part]
    private let isBound: Bool
    private let startsWord: Bool
    /// The longest literal: a line without it does not match.
    let anchor: [UInt8]
    let holes: [String]

    /// How often the first literal is looked for again when what follows does not fit.
    private static let tries = 8

    init(_ text: String) {
        var rest = Substring(text)
        let isBound = rest.hasPrefix("^")
        if isBound { rest = rest.dropFirst() }
        var parts: [Part] = []
        while !rest.isEmpty {
            if rest.first == "{", let end = rest.firstIndex(of: "}") {
                parts.append(.hole(String(rest[rest.index(after: rest.startIndex)..<end])))
                rest = rest[rest.index(after: end)...]
            } else {
                let literal = rest.prefix { $0 != "{" }
                parts.append(.literal(literal.utf8.map(LogLineText.folded)))
                rest = rest[literal.endIndex...]
            }
        }
        // A code as EMFILE, which is not meant in Gemfile.
        startsWord =
            !isBound && text.first?.isUppercase == true
            && text.prefix(6).allSatisfy { $0.isUppercase || $0 == "_" }
        self.parts = parts
        self.isBound = isBound
        var anchor: [UInt8] = []
        var holes: [String] = []
        for part in parts {
            switch part {
            case .literal(let bytes): if bytes.count > anchor.count { anchor = bytes }
            case .hole(let name): holes.append(name)
            }
        }
        self.anchor = anchor
        self.holes = holes
    }

    /// The values of the holes by name; nil when it does not match.
    func match(_ line: LogLineText) -> [String: String]? {
        guard !isBound else { return match(line, at: 0, from: 0) }
        let leading: String?
        let literal: [UInt8]
        switch (parts.first, parts.dropFirst().first) {
        case (.literal(let bytes), _): (leading, literal) = (nil, bytes)
        case (.hole(let name), .literal(let bytes)): (leading, literal) = (name, bytes)
        default: return match(line, at: 0, from: 0)
        }
        var start = 0
        for _ in 0..<LogPattern.tries {
            guard let found = line.find(literal, from: start) else { return nil }
            start = found + 1
            if startsWord, found > 0, (0x61...0x7A).contains(line.folded[found - 1]) { continue }
            var value: String?
            if let leading {
                value = Hole(leading).end(line.original[..<found])
                if value == nil { continue }
            }
            guard var values = match(line, at: found + literal.count, from: leading == nil ? 1 : 2) else {
                continue
            }
            if let leading { values[leading] = value }
            return values
        }
        return nil
    }

    private func match(_ line: LogLineText, at start: Int, from first: Int) -> [String: String]? {
        var values: [String: String] = [:]
        var at = start
        var open: String?
        for part in parts[first...] {
            switch part {
            case .hole(let name): open = name
            case .literal(let bytes):
                if let name = open {
                    guard let end = line.find(bytes, from: at + 1),
                        let value = Hole(name).value(line.original[at..<end])
                    else { return nil }
                    values[name] = value
                    at = end + bytes.count
                    open = nil
                } else {
                    guard line.folded[at...].starts(with: bytes) else { return nil }
                    at += bytes.count
                }
            }
        }
        if let name = open {
            guard at < line.original.count, let value = Hole(name).beginning(line.original[at...]) else {
                return nil
            }
            values[name] = value
        }
        return values
    }
}

/// One line of a log without its indentation, and the same with small letters.
struct LogLineText: Sendable {
    /// What is looked at of a line.
    static let limit = 2048

    let original: [UInt8]
    let folded: [UInt8]

    init(_ bytes: some Collection<UInt8>) {
        original = Array(bytes.drop { $0 == 0x20 || $0 == 0x09 }.prefix(LogLineText.limit))
        folded = original.map(LogLineText.folded)
    }

    static func folded(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    /// Where the folded bytes begin, at `start` or later.
    func find(_ bytes: [UInt8], from start: Int) -> Int? {
        folded.withUnsafeBytes { $0.find(bytes, from: start) }
    }
}
