// SPDX-License-Identifier: Apache-2.0

/// Lines without their ends, one after the other: a flood of short ones costs no memory of its own for each.
struct Lines {
    private(set) var bytes: [UInt8] = []
    private(set) var ends: [Int] = []

    var isEmpty: Bool { ends.isEmpty }

    mutating func append(_ line: some Collection<UInt8>) {
        bytes += line
        ends.append(bytes.count)
    }
}

/// Cuts output into lines that are fit for a log: valid UTF-8, no control characters but tab and the escape of
/// colours; of a line that was drawn over with carriage returns, the last state.
struct LineSplitter {
    /// Longer lines are cut into pieces of so many bytes, or up to three fewer.
    static let limit = 16 << 10

    private var partial: [UInt8] = []

    mutating func feed(_ bytes: [UInt8]) -> Lines {
        var lines = Lines()
        for byte in bytes {
            switch byte {
            case 0x0A: take(partial.count, into: &lines)
            case 0..<9, 11, 12, 14..<27, 28..<32, 127: break
            default:
                partial.append(byte)
                if partial.count >= LineSplitter.limit { take(wholeCharacters, into: &lines) }
            }
        }
        return lines
    }

    /// An unfinished line, at a pause or the end.
    mutating func flush() -> Lines {
        var lines = Lines()
        if !partial.isEmpty { take(partial.count, into: &lines) }
        return lines
    }

    var isEmpty: Bool { partial.isEmpty }

    /// How many bytes there are before a last character that is not complete yet.
    private var wholeCharacters: Int {
        for back in 1...3 where back < partial.count {
            switch partial[partial.count - back] {
            case 0x80..<0xC0: continue
            case 0xC0..<0xE0 where back < 2, 0xE0..<0xF0 where back < 3, 0xF0..<0xF8 where back < 4:
                return partial.count - back
            default: return partial.count
            }
        }
        return partial.count
    }

    private mutating func take(_ count: Int, into lines: inout Lines) {
        var line = partial[..<count]
        while line.last == 0x0D { line.removeLast() }
        if let last = line.lastIndex(of: 0x0D) { line = line[(last + 1)...] }
        if line.allSatisfy({ $0 < 0x80 }) {
            lines.append(line)
        } else {
            lines.append(String(decoding: line, as: UTF8.self).utf8)
        }
        // Given up before the change, which would have to copy otherwise.
        line = []
        partial.removeSubrange(..<count)
    }
}
