// SPDX-License-Identifier: Apache-2.0

/// Reads JSON with `//` and `/* */` comments and trailing commas, and strict otherwise: no value is guessed. Works on
/// bytes; nesting is bounded, so that no text can exhaust the stack.
struct JSONReader {
    static let depthLimit = 64
    static let stringLimit = 16 << 10

    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The whole text as one value.
    mutating func read() throws(Finding) -> JSONValue {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
        if let bad = JSONReader.firstInvalidUTF8(bytes) {
            throw Finding(offset: bad, message: "this is not UTF-8 text")
        }
        try skipSpace()
        guard at < bytes.count else {
            throw Finding(offset: 0, message: "the file is empty: the smallest is { \"start\": \"…\" }")
        }
        let result = try value(depth: 0)
        try skipSpace()
        guard at == bytes.count else { throw Finding(offset: at, message: "unexpected text after the end") }
        return result
    }

    private var current: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func value(depth: Int) throws(Finding) -> JSONValue {
        guard depth < JSONReader.depthLimit else {
            throw Finding(offset: at, message: "nested deeper than \(JSONReader.depthLimit) levels")
        }
        let start = at
        switch current {
        case UInt8(ascii: "{"): return JSONValue(kind: .object(try members(depth)), offset: start)
        case UInt8(ascii: "["): return JSONValue(kind: .array(try elements(depth)), offset: start)
        case UInt8(ascii: "\""): return JSONValue(kind: .string(try string()), offset: start)
        case let byte?
        where byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
            return JSONValue(kind: .number(try number()), offset: start)
        default: break
        }
        for (word, kind) in [("true", JSONValue.Kind.bool(true)), ("false", .bool(false)), ("null", .null)]
        where bytes[at...].starts(with: word.utf8) {
            at += word.utf8.count
            if let next = current, isWordByte(next) { break }
            return JSONValue(kind: kind, offset: start)
        }
        throw Finding(
            offset: start,
            message: start < bytes.count ? "expected a value here" : "the text ends where a value should be")
    }

    private mutating func members(_ depth: Int) throws(Finding) -> [JSONValue.Member] {
        let open = at
        at += 1
        var members: [JSONValue.Member] = []
        var seen: [String: Int] = [:]
        while true {
            try skipSpace()
            if current == UInt8(ascii: "}") {
                at += 1
                return members
            }
            let keyOffset = at
            guard current == UInt8(ascii: "\"") else {
                throw current == nil
                    ? Finding(offset: open, message: "this '{' is never closed")
                    : Finding(offset: at, message: "expected a key in double quotes, or '}'")
            }
            let key = try string()
            if let first = seen[key] {
                throw Finding(
                    offset: keyOffset,
                    message:
                        "the key '\(shown(key))' stands here a second time; the first is on line \(line(of: first))"
                )
            }
            seen[key] = keyOffset
            try skipSpace()
            guard current == UInt8(ascii: ":") else {
                throw Finding(offset: at, message: "expected ':' after the key '\(shown(key))'")
            }
            at += 1
            try skipSpace()
            members.append(.init(key: key, keyOffset: keyOffset, value: try value(depth: depth + 1)))
            try skipSpace()
            if current == UInt8(ascii: ",") {
                at += 1
            } else if current != UInt8(ascii: "}") {
                throw current == nil
                    ? Finding(offset: open, message: "this '{' is never closed")
                    : Finding(offset: at, message: "expected ',' or '}' after the value of '\(shown(key))'")
            }
        }
    }

    private mutating func elements(_ depth: Int) throws(Finding) -> [JSONValue] {
        let open = at
        at += 1
        var elements: [JSONValue] = []
        while true {
            try skipSpace()
            if current == UInt8(ascii: "]") {
                at += 1
                return elements
            }
            guard current != nil else { throw Finding(offset: open, message: "this '[' is never closed") }
            elements.append(try value(depth: depth + 1))
            try skipSpace()
            if current == UInt8(ascii: ",") {
                at += 1
            } else if current != UInt8(ascii: "]") {
                throw current == nil
                    ? Finding(offset: open, message: "this '[' is never closed")
                    : Finding(offset: at, message: "expected ',' or ']'")
            }
        }
    }

    private mutating func string() throws(Finding) -> String {
        let open = at
        at += 1
        var out: [UInt8] = []
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return String(decoding: out, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &out)
            case 0..<0x20:
                throw byte == 0x0A || byte == 0x0D
                    ? Finding(offset: open, message: "this string is not closed on its line")
                    : Finding(
                        offset: at, message: "a control character in a string must be written as an escape")
            default:
                out.append(byte)
                at += 1
            }
            guard out.count <= JSONReader.stringLimit else {
                throw Finding(
                    offset: open, message: "this string is longer than \(JSONReader.stringLimit) bytes")
            }
        }
        throw Finding(offset: open, message: "this string is never closed")
    }

    private mutating func escape(into out: inout [UInt8]) throws(Finding) {
        let start = at
        at += 1
        guard let kind = current else {
            throw Finding(offset: start, message: "the text ends within an escape")
        }
        at += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(kind)
        case UInt8(ascii: "b"): out.append(8)
        case UInt8(ascii: "f"): out.append(12)
        case UInt8(ascii: "n"): out.append(10)
        case UInt8(ascii: "r"): out.append(13)
        case UInt8(ascii: "t"): out.append(9)
        case UInt8(ascii: "u"):
            var code = UInt32(try hexadecimal(start))
            if (0xD800..<0xDC00).contains(code) {
                guard current == UInt8(ascii: "\\"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "u")
                else {
                    throw Finding(offset: start, message: "half a surrogate pair")
                }
                at += 2
                let low = UInt32(try hexadecimal(start))
                guard (0xDC00..<0xE000).contains(low) else {
                    throw Finding(offset: start, message: "half a surrogate pair")
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = UnicodeScalar(code) else {
                throw Finding(offset: start, message: "half a surrogate pair")
            }
            guard scalar.value != 0 else {
                throw Finding(offset: start, message: "a NUL character is not allowed")
            }
            out.append(contentsOf: String(Character(scalar)).utf8)
        default: throw Finding(offset: start, message: "there is no such escape")
        }
    }

    private mutating func hexadecimal(_ start: Int) throws(Finding) -> UInt16 {
        guard at + 4 <= bytes.count,
            let code = UInt16(String(decoding: bytes[at..<(at + 4)], as: UTF8.self), radix: 16),
            bytes[at] != UInt8(ascii: "+"), bytes[at] != UInt8(ascii: "-")
        else { throw Finding(offset: start, message: "\\u wants four hexadecimal digits") }
        at += 4
        return code
    }

    private mutating func number() throws(Finding) -> String {
        let start = at
        while let byte = current,
            isWordByte(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
                || byte == UInt8(ascii: ".")
        {
            at += 1
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        let whole = digits.prefix { $0.isASCII && $0.isNumber }
        guard !whole.isEmpty, whole == "0" || !whole.hasPrefix("0"), Double(text) != nil,
            text.utf8.count <= 64
        else {
            throw Finding(offset: start, message: "this is not a number")
        }
        return text
    }

    private mutating func skipSpace() throws(Finding) {
        while let byte = current {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            case UInt8(ascii: "/"):
                let start = at
                if at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "/") {
                    while let next = current, next != 0x0A { at += next == 0x0A ? 0 : 1 }
                } else if at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "*") {
                    at += 2
                    while true {
                        guard at + 1 < bytes.count else {
                            throw Finding(offset: start, message: "this comment is never closed")
                        }
                        if bytes[at] == UInt8(ascii: "*"), bytes[at + 1] == UInt8(ascii: "/") { break }
                        at += 1
                    }
                    at += 2
                } else {
                    throw Finding(offset: start, message: "a comment begins with // or /*")
                }
            default: return
            }
        }
    }

    private func line(of offset: Int) -> Int { bytes[..<offset].count { $0 == 0x0A } + 1 }

    private func isWordByte(_ byte: UInt8) -> Bool {
        UnicodeScalar(byte).properties.isAlphabetic || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// The first byte that is no part of valid UTF-8.
    private static func firstInvalidUTF8(_ bytes: [UInt8]) -> Int? {
        guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
        var low = 0
        var index = 0
        var decoder = UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let scalar): index += scalar.count
            case .emptyInput: return low
            case .error: return index
            }
            low = index
        }
    }
}

/// A text from outside, safe to show: short, without control characters.
func shown(_ text: String) -> String {
    let cut = text.unicodeScalars.prefix(60)
    return cut.map { $0.value < 0x20 || $0.value == 0x7F ? $0.escaped(asASCII: true) : String($0) }.joined()
        + (text.unicodeScalars.count > 60 ? "…" : "")
}
