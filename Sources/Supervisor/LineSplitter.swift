// SPDX-License-Identifier: Apache-2.0

/// Cuts output into lines that are fit for a log: valid UTF-8, no control characters but tab and the escape of
/// colours; of a line that was drawn over with carriage returns, the last state.
struct LineSplitter {
    /// Longer lines are cut into pieces of so many bytes.
    static let limit = 16 << 10

    private var partial: [UInt8] = []

    mutating func feed(_ bytes: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for byte in bytes {
            switch byte {
            case 0x0A: lines.append(take())
            case 0..<9, 11, 12, 14..<27, 28..<32, 127: break
            default:
                partial.append(byte)
                if partial.count >= LineSplitter.limit { lines.append(take()) }
            }
        }
        return lines
    }

    /// An unfinished line, at a pause or the end.
    mutating func flush() -> [[UInt8]] { partial.isEmpty ? [] : [take()] }

    var isEmpty: Bool { partial.isEmpty }

    private mutating func take() -> [UInt8] {
        var line = partial
        partial.removeAll(keepingCapacity: true)
        while line.last == 0x0D { line.removeLast() }
        if let last = line.lastIndex(of: 0x0D) { line.removeSubrange(...last) }
        return Array(String(decoding: line, as: UTF8.self).utf8)
    }
}
