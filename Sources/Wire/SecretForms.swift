// SPDX-License-Identifier: Apache-2.0

/// The forms in which a secret shows up in output: as it is, line by line, and in the encodings that programs put
/// values into.
struct SecretForms {
    struct Form: Hashable {
        let bytes: [UInt8]
        /// Tools break these over lines: a line end inside does not end it.
        let mayBeWrapped: Bool
    }

    private(set) var all: Set<Form> = []

    /// Shorter ones are not looked for: they would blacken everything.
    static let shortest = 4
    /// Of a part of a secret (a line, a password in a URL).
    private static let shortestPart = 6
    private static let shortestCode = 8
    /// Of longer secrets only the most common encodings are looked for.
    private static let long = 4 << 10
    /// Longer forms are looked for in pieces, each by itself, so that no more than this has to be held back.
    private static let piece = 256

    init(_ secrets: [String]) {
        for secret in secrets {
            let bytes = Array(secret.utf8)
            guard bytes.count >= SecretForms.shortest else { continue }
            add(bytes)
            let trimmed = SecretForms.trimmed(bytes)
            if trimmed.count >= SecretForms.shortestPart { add(trimmed) }
            for line in bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
                let line = SecretForms.trimmed(Array(line))
                if line.count >= SecretForms.shortestPart { insert(line) }
            }
            for password in SecretForms.passwords(bytes) where password.count >= SecretForms.shortestPart {
                add(password)
            }
        }
    }

    private mutating func add(_ bytes: [UInt8]) {
        insert(bytes)
        insert(SecretForms.json(bytes))
        insert(SecretForms.json(bytes, slashes: true))
        guard bytes.count >= SecretForms.shortestPart else { return }
        for shift in 0..<3 {
            // The part of the base64 text that does not depend on what stands before and after.
            let code = SecretForms.base64([UInt8](repeating: 0, count: shift) + bytes)
            let skip = shift == 0 ? 0 : shift + 1
            let stable = (shift + bytes.count) * 8 / 6
            guard stable - skip >= SecretForms.shortestCode else { continue }
            if shift == 0 { insert(Array(code.prefix { $0 != UInt8(ascii: "=") }), wrapped: true) }
            let part = Array(code[skip..<stable])
            insert(part, wrapped: true)
            insert(
                part.map {
                    $0 == UInt8(ascii: "+")
                        ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0
                },
                wrapped: true)
            // In a query.
            insert(SecretForms.percent(part, upper: true))
            insert(SecretForms.percent(part, upper: false))
        }
        // A log of JSON in a log of JSON.
        insert(SecretForms.json(SecretForms.json(bytes)))
        guard bytes.count <= SecretForms.long else { return }
        addSeldom(bytes)
        for upper in [true, false] {
            insert(SecretForms.hex(bytes, upper: upper), wrapped: true)
            for space in ["%20", "+"] {
                insert(SecretForms.percent(bytes, upper: upper, keeping: "-._~", space: space))
                // encodeURI and its like leave more as it is.
                insert(SecretForms.percent(bytes, upper: upper, keeping: "-._~!*'()", space: space))
                insert(SecretForms.percent(bytes, upper: upper, keeping: "-._~/", space: space))
                insert(
                    SecretForms.percent(bytes, upper: upper, keeping: "-._~!*'();/?:@&=+$,#", space: space))
            }
        }
        insert(SecretForms.replacing(bytes, [0x27: "'\\''"]))
        insert(SecretForms.replacing(bytes, [0x27: "'\"'\"'"]))
        insert(SecretForms.replacing(bytes, [0x22: "\\\"", 0x5C: "\\\\", 0x24: "\\$", 0x60: "\\`"]))
        insert(SecretForms.dollarQuoted(bytes))
        insert(SecretForms.backslashed(bytes))
        insert(
            SecretForms.replacing(
                bytes, [0x26: "&amp;", 0x3C: "&lt;", 0x3E: "&gt;", 0x22: "&quot;", 0x27: "&#39;"]))
        insert(
            SecretForms.replacing(
                bytes, [0x26: "&amp;", 0x3C: "&lt;", 0x3E: "&gt;", 0x22: "&#34;", 0x27: "&#x27;"]))
    }

    /// What encoders of some languages make of it.
    private mutating func addSeldom(_ bytes: [UInt8]) {
        for upper in [true, false] {
            // Only ASCII (Python), and without what means something in HTML (Go).
            insert(SecretForms.unicodeEscaped(bytes, upper: upper, isASCII: true, markup: false))
            insert(SecretForms.unicodeEscaped(bytes, upper: upper, isASCII: false, markup: true))
            insert(SecretForms.unicodeEscaped(bytes, upper: upper, isASCII: true, markup: true))
        }
        let decimals = bytes.map { Array(String($0).utf8) }
        for separator in [" ", ",", ", "] { insert(Array(decimals.joined(separator: separator.utf8))) }
        for separator in [" ", ":"] {
            for upper in [true, false] {
                insert(
                    Array(
                        bytes.map { SecretForms.digits($0, upper: upper) }.joined(separator: separator.utf8)))
            }
        }
        for shift in 0..<5 {
            // As for base64: of the first character on that these bytes alone decide.
            let code = SecretForms.base32([UInt8](repeating: 0, count: shift) + bytes)
            let (skip, stable) = ((shift * 8 + 4) / 5, (shift + bytes.count) * 8 / 5)
            guard stable - skip >= SecretForms.shortestCode else { continue }
            let part = Array(code[skip..<stable])
            insert(part, wrapped: true)
            insert(part.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, wrapped: true)
        }
    }

    private mutating func insert(_ bytes: [UInt8], wrapped: Bool = false) {
        var rest = bytes[...]
        // No piece is shorter than the limit, so that none is found by chance.
        while rest.count >= 2 * SecretForms.piece {
            all.insert(Form(bytes: Array(rest.prefix(SecretForms.piece)), mayBeWrapped: wrapped))
            rest = rest.dropFirst(SecretForms.piece)
        }
        all.insert(Form(bytes: Array(rest), mayBeWrapped: wrapped))
    }

    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        let isSpace = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }),
            let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return [] }
        return Array(bytes[first...last])
    }

    /// The password of a URL, as it stands there and without its percent signs.
    private static func passwords(_ bytes: [UInt8]) -> [[UInt8]] {
        guard let scheme = bytes.firstRange(of: Array("://".utf8)) else { return [] }
        let rest = bytes[scheme.upperBound...]
        let authority = rest.prefix { !"/?#".utf8.contains($0) }
        guard let sign = authority.lastIndex(of: UInt8(ascii: "@")) else { return [] }
        let user = authority[..<sign]
        guard let colon = user.firstIndex(of: UInt8(ascii: ":")) else { return [] }
        let password = Array(user[(colon + 1)...])
        return [password, unescaped(password)]
    }

    private static func unescaped(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "%"), at + 2 < bytes.count,
                let byte = UInt8(String(decoding: bytes[(at + 1)...(at + 2)], as: UTF8.self), radix: 16)
            {
                out.append(byte)
                at += 3
            } else {
                out.append(bytes[at])
                at += 1
            }
        }
        return out
    }

    // MARK: Encodings

    static func base64(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count / 3 * 4 + 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let left = bytes.count - start
            let second = left > 1 ? UInt32(bytes[start + 1]) : 0
            let third = left > 2 ? UInt32(bytes[start + 2]) : 0
            let word = UInt32(bytes[start]) << 16 | second << 8 | third
            out.append(alphabet[Int(word >> 18 & 63)])
            out.append(alphabet[Int(word >> 12 & 63)])
            out.append(left > 1 ? alphabet[Int(word >> 6 & 63)] : UInt8(ascii: "="))
            out.append(left > 2 ? alphabet[Int(word & 63)] : UInt8(ascii: "="))
        }
        return out
    }

    /// Without the padding.
    static func base32(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
        var out: [UInt8] = []
        var (word, bits) = (UInt32(0), 0)
        for byte in bytes {
            (word, bits) = (word << 8 | UInt32(byte), bits + 8)
            while bits >= 5 {
                out.append(alphabet[Int(word >> UInt32(bits - 5) & 31)])
                bits -= 5
            }
            word &= (1 << UInt32(bits)) - 1
        }
        if bits > 0 { out.append(alphabet[Int(word << UInt32(5 - bits) & 31)]) }
        return out
    }

    private static func digits(_ byte: UInt8, upper: Bool) -> [UInt8] {
        let digits = Array((upper ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
        return [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    static func hex(_ bytes: [UInt8], upper: Bool) -> [UInt8] { bytes.flatMap { digits($0, upper: upper) } }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    static func percent(_ bytes: [UInt8], upper: Bool, keeping: String = "-._~", space: String = "%20")
        -> [UInt8]
    {
        bytes.flatMap { byte -> [UInt8] in
            if byte == 0x20 { return Array(space.utf8) }
            if isAlphanumeric(byte) || keeping.utf8.contains(byte) { return [byte] }
            return [UInt8(ascii: "%")] + digits(byte, upper: upper)
        }
    }

    static func json(_ bytes: [UInt8], slashes: Bool = false) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x22: Array("\\\"".utf8)
            case 0x5C: Array("\\\\".utf8)
            case 0x2F where slashes: Array("\\/".utf8)
            case 0x0A: Array("\\n".utf8)
            case 0x0D: Array("\\r".utf8)
            case 0x09: Array("\\t".utf8)
            case 0..<0x20: Array("\\u00".utf8) + digits(byte, upper: false)
            default: [byte]
            }
        }
    }

    /// JSON with `\uXXXX` for what is not ASCII, or for `<`, `>`, `&`, the line separator and the paragraph separator.
    static func unicodeEscaped(_ bytes: [UInt8], upper: Bool, isASCII: Bool, markup: Bool) -> [UInt8] {
        func escaped(_ unit: UInt16) -> [UInt8] {
            Array("\\u".utf8) + digits(UInt8(unit >> 8), upper: upper)
                + digits(UInt8(unit & 255), upper: upper)
        }
        return String(decoding: bytes, as: UTF8.self).unicodeScalars.flatMap { scalar -> [UInt8] in
            let text = String(scalar)
            let isMarkup = "<>&\u{2028}\u{2029}".unicodeScalars.contains(scalar)
            guard (isASCII && !scalar.isASCII) || (markup && isMarkup) else { return json(Array(text.utf8)) }
            return text.utf16.flatMap { escaped($0) }
        }
    }

    private static func replacing(_ bytes: [UInt8], _ map: [UInt8: String]) -> [UInt8] {
        bytes.flatMap { byte in map[byte].map { Array($0.utf8) } ?? [byte] }
    }

    /// The inside of `$'…'`.
    private static func dollarQuoted(_ bytes: [UInt8]) -> [UInt8] {
        replacing(bytes, [0x27: "\\'", 0x5C: "\\\\", 0x0A: "\\n", 0x09: "\\t", 0x0D: "\\r"])
    }

    /// As `printf %q` writes it.
    private static func backslashed(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            isAlphanumeric(byte) || "%+,-./:=@_".utf8.contains(byte) || byte >= 0x80
                ? [byte] : [UInt8(ascii: "\\"), byte]
        }
    }
}
