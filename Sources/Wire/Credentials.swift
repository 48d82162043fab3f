// SPDX-License-Identifier: Apache-2.0

/// Finds what is a credential by its form alone, whoever it belongs to: passwords in URLs of any scheme, and kinto's
/// own tokens.
public enum Credentials {
    /// Stands in their place.
    public static let replacement = Array("[redacted]".utf8)

    private static let token = Array("kinto_".utf8)
    private static let tokenLength = 64

    /// A line without the passwords of its URLs (`scheme://user:[redacted]@host`) and without tokens.
    public static func redacted(_ line: [UInt8]) -> [UInt8] {
        var found = urls(line) + tokens(line)
        guard !found.isEmpty else { return line }
        found.sort { $0.lowerBound < $1.lowerBound }
        var out: [UInt8] = []
        var at = 0
        for range in found where range.lowerBound >= at {
            out += line[at..<range.lowerBound]
            out += replacement
            at = range.upperBound
        }
        return out + line[at...]
    }

    /// The same for a text.
    public static func redacted(_ text: String) -> String {
        guard mayHold(Array(text.utf8)[...]) else { return text }
        return String(decoding: redacted(Array(text.utf8)), as: UTF8.self)
    }

    /// Whether it is worth a closer look: most lines are not.
    public static func mayHold(_ line: ArraySlice<UInt8>) -> Bool {
        line.withUnsafeBufferPointer { bytes in
            var at = 0
            while at + 2 < bytes.count {
                let byte = bytes[at]
                if byte == UInt8(ascii: ":"), bytes[at + 1] == UInt8(ascii: "/"),
                    bytes[at + 2] == UInt8(ascii: "/")
                {
                    return true
                }
                if byte == UInt8(ascii: "k"), bytes[at + 1] == UInt8(ascii: "i"),
                    bytes[at + 2] == UInt8(ascii: "n")
                {
                    return true
                }
                at += 1
            }
            return false
        }
    }

    /// What stands between the colon (or the slashes) and the at sign.
    private static func urls(_ line: [UInt8]) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var at = 0
        while at + 3 < line.count {
            guard line[at] == UInt8(ascii: ":"), line[at + 1] == UInt8(ascii: "/"),
                line[at + 2] == UInt8(ascii: "/")
            else {
                at += 1
                continue
            }
            let start = at + 3
            var end = start
            var sign: Int?
            // Up to the path; a password may hold '@' unescaped, so the last one counts.
            while end < line.count, !isEnd(line[end]) {
                if line[end] == UInt8(ascii: "@") { sign = end }
                end += 1
            }
            if let sign {
                if let colon = line[start..<sign].firstIndex(of: UInt8(ascii: ":")) {
                    if colon + 1 < sign { found.append((colon + 1)..<sign) }
                } else if isWeb(line[..<at]), start < sign {
                    // A forge's token stands in the place of the user.
                    found.append(start..<sign)
                }
            }
            at = max(end, start)
        }
        return found
    }

    private static func isEnd(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == 0x7F || "/?#\"'<>`\\".utf8.contains(byte)
    }

    private static func isWeb(_ before: ArraySlice<UInt8>) -> Bool {
        let word = before.suffix(5).map { $0 | 0x20 }
        return word.suffix(4) == Array("http".utf8) || word == Array("https".utf8)
    }

    private static func tokens(_ line: [UInt8]) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var at = 0
        while at + token.count + tokenLength <= line.count {
            let digits = (at + token.count)..<(at + token.count + tokenLength)
            if line[at] == token[0], line[at..<(at + token.count)].elementsEqual(token),
                line[digits].allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
            {
                found.append(digits)
                at = digits.upperBound
            } else {
                at += 1
            }
        }
        return found
    }
}
