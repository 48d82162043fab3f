// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// What may stand in a hole of a ``LogPattern``. Its name says so, digits at the end tell two of a kind apart.
struct Hole {
    enum Kind {
        /// A name of an environment variable as they are written: `DATABASE_URL`.
        case variable
        /// 1...65535.
        case port
        case number
        /// A relative path of plain characters that stays where it is and is no option.
        case file
        /// A path as tools print it, absolute or relative, without spaces.
        case path
        /// Anything without spaces.
        case word
        case text
    }

    /// Longer values are cut in texts, and refused in commands.
    private static let limit = 160

    let kind: Kind

    init(_ name: String) {
        kind =
            switch name.prefix(while: { !$0.isNumber }) {
            case "variable": .variable
            case "port": .port
            case "number": .number
            case "file": .file
            case "path": .path
            case "word": .word
            default: .text
            }
    }

    /// Whether a value may become a word of a command that somebody runs: only what cannot be anything else than a
    /// variable's name, a number, or a file of the repository. Names of packages are not among them: who writes the log
    /// would choose what is installed.
    var isForCommands: Bool { [.variable, .port, .number, .file].contains(kind) }

    /// The value, fit to be shown; nil when it is not of the kind.
    func value(_ bytes: ArraySlice<UInt8>) -> String? {
        let bytes = kind == .text ? bytes.drop { $0 == 0x20 } : bytes
        guard !bytes.isEmpty, kind == .text || bytes.allSatisfy(isPart), isWhole(bytes) else { return nil }
        let text = TerminalFilter.plain(String(decoding: bytes.prefix(Hole.limit), as: UTF8.self))
        return bytes.count > Hole.limit ? text + "…" : text
    }

    /// As much of the rest of a line as is of the kind.
    func beginning(_ bytes: ArraySlice<UInt8>) -> String? {
        var part = kind == .text ? bytes : bytes.prefix(while: isPart)
        let ends = kind == .text ? Array(" \t".utf8) : Array(".:,;".utf8)
        while let last = part.last, ends.contains(last) { part.removeLast() }
        return value(part)
    }

    /// As much of the end of a part of a line as is of the kind.
    func end(_ bytes: ArraySlice<UInt8>) -> String? {
        if kind == .text { return value(bytes) }
        let start = bytes.lastIndex { !isPart($0) }.map { $0 + 1 } ?? bytes.startIndex
        return value(bytes[start...])
    }

    private func isPart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): kind != .port && kind != .number
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "-"):
            kind == .file || kind == .path || kind == .word
        case UInt8(ascii: "@"), UInt8(ascii: "+"), UInt8(ascii: "~"), UInt8(ascii: "["), UInt8(ascii: "]"):
            kind == .path || kind == .word
        default: kind == .word && byte > 0x20
        }
    }

    private func isWhole(_ bytes: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        return switch kind {
        case .variable: bytes.count >= 2 && bytes.count <= 100 && !(text.first?.isNumber ?? true)
        case .port: Int(text).map { (1...65535).contains($0) } ?? false
        case .number: bytes.count <= 18
        case .file:
            bytes.count <= Hole.limit && !text.hasPrefix("/") && !text.hasPrefix("-")
                && !text.split(separator: "/").contains("..")
        case .path, .word, .text: true
        }
    }
}
