// SPDX-License-Identifier: Apache-2.0

/// Variables as `.env` files have them: `NAME=value` lines with `export`, quotes, comments, and values of several lines.
///
/// Between single quotes and back quotes everything stands for itself. Between double quotes `\n`, `\r`, `\t`, `\\`, `\"`, `\$`
/// and `` \` `` are one character, and any other backslash is itself. Quoted pieces that touch are one value, as in a shell
/// (`'it'\''s'`). Without quotes a value ends before ` #`, and is trimmed. Nothing is expanded.
public struct Dotenv: Sendable, Equatable {
    /// The most that is read of a file, in bytes.
    public static let sizeLimit = 512 << 10

    /// A mistake, or something to be told.
    public struct Remark: Sendable, Equatable {
        /// From 1.
        public let line: Int
        public let message: String
    }

    public struct Mistakes: Error, Equatable {
        public let remarks: [Remark]
    }

    public private(set) var variables: [String: String] = [:]
    /// What may not have been meant.
    public private(set) var notes: [Remark] = []

    /// - Throws: ``Mistakes``: all that there are.
    public init(_ bytes: [UInt8]) throws(Mistakes) {
        guard bytes.count <= Dotenv.sizeLimit else {
            throw Mistakes(remarks: [
                .init(line: 1, message: "the file is larger than \(Dotenv.sizeLimit >> 10) KiB")
            ])
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Mistakes(remarks: [.init(line: 1, message: "the file is no text of UTF-8")])
        }
        var reader = Reader(text)
        var lines: [String: Int] = [:]
        var mistakes: [Remark] = []
        while true {
            do {
                guard let entry = try reader.next() else { break }
                if let problem = VariableName.problem(entry.name) {
                    mistakes.append(.init(line: entry.line, message: problem))
                    continue
                }
                if let first = lines[entry.name] {
                    notes.append(
                        .init(
                            line: entry.line,
                            message: "\(entry.name) is also in line \(first): this one counts"))
                }
                if entry.mentionsOthers {
                    notes.append(
                        .init(
                            line: entry.line,
                            message: "\(entry.name): '$' stands for itself; nothing is expanded"))
                }
                lines[entry.name] = entry.line
                variables[entry.name] = entry.value
            } catch {
                mistakes.append(error)
                reader.skipLine()
            }
        }
        guard mistakes.isEmpty else { throw Mistakes(remarks: mistakes) }
    }

    /// A line that reads as this variable again, here and in a shell; a value of several lines has as many.
    public static func line(_ name: String, _ value: String) -> String {
        let isPlain = value.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "_-./:@%+,=".utf8.contains(byte)
            }
        }
        if isPlain { return "\(name)=\(value)" }
        if !value.utf8.contains(where: { $0 == UInt8(ascii: "'") || $0 == 13 }) {
            return "\(name)='\(value)'"
        }
        var quoted = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\", "\"", "$", "`": quoted += "\\\(character)"
            // A line end within quotes loses it.
            case "\r": quoted += "\\r"
            default: quoted.unicodeScalars.append(character)
            }
        }
        return "\(name)=\"\(quoted)\""
    }
}

extension Dotenv.Remark: Error {}

/// Reads one variable after the other.
private struct Reader {
    struct Entry {
        let name: String
        var value: String
        let line: Int
        var mentionsOthers = false
    }

    private let text: [Unicode.Scalar]
    private var index = 0
    private var line = 1

    init(_ text: String) {
        var scalars: [Unicode.Scalar] = []
        scalars.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            // Line ends are one character, wherever the file was written.
            if scalar == "\n", scalars.last == "\r" { scalars.removeLast() }
            scalars.append(scalar)
        }
        if scalars.first == "\u{FEFF}" { scalars.removeFirst() }
        self.text = scalars
    }

    private var current: Unicode.Scalar? { index < text.count ? text[index] : nil }

    private mutating func advance() {
        if current == "\n" { line += 1 }
        index += 1
    }

    private mutating func skipBlanks() {
        while current == " " || current == "\t" { advance() }
    }

    mutating func skipLine() {
        while let scalar = current {
            advance()
            if scalar == "\n" { return }
        }
    }

    /// nil at the end.
    mutating func next() throws(Dotenv.Remark) -> Entry? {
        while true {
            while let scalar = current, scalar == "\n" || scalar == " " || scalar == "\t" { advance() }
            guard current == "#" else { break }
            skipLine()
        }
        guard current != nil else { return nil }
        let start = line
        var name = word()
        let end = index
        skipBlanks()
        if name == "export", index > end, current != "=" {
            name = word()
            skipBlanks()
        }
        guard current == "=" else {
            throw Dotenv.Remark(
                line: start, message: "'\(shown(name))' is not followed by '=': write NAME=value")
        }
        guard !name.isEmpty else { throw Dotenv.Remark(line: start, message: "there is no name before '='") }
        advance()
        skipBlanks()
        var entry = Entry(name: name, value: "", line: start)
        if current == "'" || current == "\"" || current == "`" {
            try quoted(&entry)
        } else {
            try plain(&entry)
        }
        guard !entry.value.unicodeScalars.contains("\0") else {
            throw Dotenv.Remark(line: start, message: "the value of \(name) holds a NUL byte")
        }
        return entry
    }

    /// Of a key that is not quoted the other lines would be names: they are passed over, and not told.
    private mutating func refuseCutKey(_ entry: Entry) throws(Dotenv.Remark) {
        guard entry.value.hasPrefix("-----BEGIN"), !entry.value.contains("-----END") else { return }
        repeat { skipLine() } while current != nil && !text[index...].starts(with: "-----END".unicodeScalars)
        throw Dotenv.Remark(
            line: entry.line, message: "a key of several lines stands in quotes, from its BEGIN to its END")
    }

    private mutating func word() -> String {
        var word = ""
        while let scalar = current, !" \t\n=".unicodeScalars.contains(scalar) {
            word.unicodeScalars.append(scalar)
            advance()
        }
        return word
    }

    private mutating func plain(_ entry: inout Entry) throws(Dotenv.Remark) {
        var value: [Unicode.Scalar] = []
        while let scalar = current, scalar != "\n" {
            if scalar == "#", value.isEmpty || value.last == " " || value.last == "\t" { break }
            if scalar == "$" { entry.mentionsOthers = true }
            value.append(scalar)
            advance()
        }
        while let last = value.last, last == " " || last == "\t" || last == "\r" { value.removeLast() }
        entry.value.unicodeScalars.append(contentsOf: value)
        try refuseCutKey(entry)
        skipLine()
    }

    /// Pieces that touch each other.
    private mutating func quoted(_ entry: inout Entry) throws(Dotenv.Remark) {
        while let scalar = current, scalar != "\n", scalar != " ", scalar != "\t" {
            switch scalar {
            case "'", "`": try literal(scalar, &entry)
            case "\"": try escaped(&entry)
            case "\\":
                advance()
                guard let next = current, next != "\n" else {
                    throw Dotenv.Remark(line: line, message: "a '\\' stands at the end of the line")
                }
                entry.value.unicodeScalars.append(next)
                advance()
            default:
                throw Dotenv.Remark(
                    line: line,
                    message: "'\(shown(String(scalar)))' stands after the closing quote of \(entry.name)")
            }
        }
        skipBlanks()
        guard current == nil || current == "\n" || current == "#" else {
            throw Dotenv.Remark(
                line: line, message: "text stands after the closing quote of \(entry.name): quote all of it")
        }
        skipLine()
    }

    private mutating func literal(_ quote: Unicode.Scalar, _ entry: inout Entry) throws(Dotenv.Remark) {
        let (start, place) = (line, index)
        advance()
        while let scalar = current, scalar != quote {
            entry.value.unicodeScalars.append(scalar)
            advance()
        }
        try close(quote, start, place, entry.name)
    }

    private mutating func escaped(_ entry: inout Entry) throws(Dotenv.Remark) {
        let (start, place) = (line, index)
        advance()
        while let scalar = current, scalar != "\"" {
            advance()
            guard scalar == "\\", let next = current else {
                if scalar == "$" { entry.mentionsOthers = true }
                entry.value.unicodeScalars.append(scalar)
                continue
            }
            switch next {
            case "n": entry.value += "\n"
            case "r": entry.value += "\r"
            case "t": entry.value += "\t"
            case "\\", "\"", "$", "`": entry.value.unicodeScalars.append(next)
            default: entry.value.unicodeScalars.append(contentsOf: [scalar, next])
            }
            advance()
        }
        try close("\"", start, place, entry.name)
    }

    /// One that is not closed is told where it was opened, and the lines after it are read as lines again.
    private mutating func close(
        _ quote: Unicode.Scalar, _ start: Int, _ place: Int, _ name: String
    ) throws(Dotenv.Remark) {
        guard current != nil else {
            (line, index) = (start, place)
            throw Dotenv.Remark(line: start, message: "the quote \(quote) of \(name) is not closed")
        }
        advance()
    }

    private func shown(_ text: String) -> String {
        text.unicodeScalars.prefix(40).map { $0.escaped(asASCII: true) }.joined()
    }
}
