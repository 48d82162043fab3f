// SPDX-License-Identifier: Apache-2.0

/// What `_headers` and `_redirects` have in common.
enum RuleFile {
    /// Told of one file.
    private static let most = 10

    /// Lines without their ends, from 0 on; however they end, and without the mark that some editors put first.
    static func lines(_ text: String) -> [(index: Int, line: Substring)] {
        let bytes = text.utf8.starts(with: [0xEF, 0xBB, 0xBF]) ? text.utf8.dropFirst(3) : text.utf8[...]
        return bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated().map {
            ($0.offset, Substring($0.element.last == 13 ? $0.element.dropLast() : $0.element))
        }
    }

    /// The first few, and how many more there are.
    static func shorten(_ warnings: inout [String], _ name: String) {
        guard warnings.count > most else { return }
        let left = warnings.count - most
        warnings.removeLast(left)
        warnings.append("\(name): \(left) more line\(left == 1 ? " is" : "s are") left out")
    }
}

extension StringProtocol where UTF8View: BidirectionalCollection {
    /// Without white space at its ends.
    var trimmed: SubSequence {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 9 || byte == 13 }
        guard let first = utf8.firstIndex(where: { !isSpace($0) }),
            let last = utf8.lastIndex(where: { !isSpace($0) })
        else { return self[endIndex...] }
        return self[first..<utf8.index(after: last)]
    }
}
