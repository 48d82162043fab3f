// SPDX-License-Identifier: Apache-2.0
internal import Wire

extension LogIndex {
    /// Lines of a log one after the other.
    struct Window {
        /// The number of the first of them.
        let first: Int
        /// As they are stored, each with its newline.
        let bytes: [UInt8]
        let count: Int
        /// The first line that is still there, and the last: 0 when there is none.
        let all: ClosedRange<Int>

        var last: Int { first + count - 1 }
        var isAtEnd: Bool { last >= all.upperBound }
    }

    /// What one window takes of a log at most, whatever the length of its lines.
    private static let most = 1 << 20

    /// - Parameter start: the first line that is wanted; nil: the last ones.
    func window(_ path: String, from start: Int?, limit: Int) -> Window {
        let parts = parts(path)
        guard let oldest = parts.first, let newest = parts.last, newest.before + newest.lines > oldest.before
        else { return Window(first: 1, bytes: [], count: 0, all: 0...0) }
        let all = (oldest.before + 1)...(newest.before + newest.lines)
        var first = min(max(start ?? (all.upperBound - limit + 1), all.lowerBound), all.upperBound)
        let last = min(first + limit - 1, all.upperBound)
        var bytes: [UInt8] = []
        for part in parts where part.before + part.lines >= first && part.before < last {
            let from = max(first, part.before + 1)
            let to = min(last, part.before + part.lines)
            let range = offset(of: from, in: part)..<offset(of: to + 1, in: part)
            bytes += LogIndex.read(part.file, at: range.lowerBound, range.count)
        }
        let newline = UInt8(ascii: "\n")
        if bytes.count > LogIndex.most {
            if start == nil {
                let cut = bytes[(bytes.count - LogIndex.most)...].firstIndex(of: newline) ?? bytes.count - 1
                first += bytes[...cut].count { $0 == newline }
                bytes = Array(bytes[(cut + 1)...])
            } else if let cut = bytes[..<LogIndex.most].lastIndex(of: newline) {
                bytes = Array(bytes[...cut])
            }
        }
        return Window(first: first, bytes: bytes, count: bytes.count { $0 == newline }, all: all)
    }

    struct Found {
        let number: Int
        let line: [UInt8]
    }

    /// Lines that have a text in them, whatever the case of its letters.
    /// - Parameters:
    ///   - texts: at least one of them, in small letters.
    ///   - isWanted: a line in small letters, without its time.
    /// - Returns: the first ones; of none more than `limit`.
    func lines(
        _ path: String, with texts: [[UInt8]], limit: Int,
        isWanted: (ArraySlice<UInt8>) -> Bool = { _ in true }
    ) -> [Found] {
        var found: [Found] = []
        for part in parts(path) {
            var number = part.before + 1 - part.heads
            var offset = 0
            while offset < part.size, found.count < limit {
                var bytes = LogIndex.read(part.file, at: offset, min(LogIndex.block, part.size - offset))
                guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { break }
                bytes.removeSubrange((end + 1)...)
                offset += bytes.count
                number = LogIndex.search(bytes, texts, number, limit, isWanted, &found)
            }
        }
        return found
    }

    /// - Returns: the number of the line after these.
    private static func search(
        _ bytes: [UInt8], _ texts: [[UInt8]], _ first: Int, _ limit: Int,
        _ isWanted: (ArraySlice<UInt8>) -> Bool, _ found: inout [Found]
    ) -> Int {
        let small = bytes.map { $0 &- 65 < 26 ? $0 | 0x20 : $0 }
        return small.withUnsafeBytes { space in
            var (number, at) = (first, 0)
            // Where each of the texts comes next; nil: nowhere any more.
            var next = texts.map { space.find($0) }
            while let hit = next.compactMap(\.self).min(), found.count < limit {
                // Up to the line with the hit.
                while let end = newline(in: space, from: at), end < hit {
                    number += 1
                    at = end + 1
                }
                let end = newline(in: space, from: at) ?? space.count
                let text = min(at + 25, end)
                let line = small[text..<end]
                // Not in the time before it.
                let words = UnsafeRawBufferPointer(rebasing: space[text..<end])
                if texts.contains(where: { words.find($0) != nil }), isWanted(line) {
                    found.append(Found(number: number, line: Array(bytes[at..<end])))
                }
                number += 1
                at = end + 1
                for (index, place) in next.enumerated() where place.map({ $0 < at }) == true {
                    next[index] = space.find(texts[index], from: at)
                }
            }
            while let end = newline(in: space, from: at) {
                number += 1
                at = end + 1
            }
            return number
        }
    }
}
