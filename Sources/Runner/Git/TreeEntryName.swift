// SPDX-License-Identifier: Apache-2.0

/// Which names of a tree may become names in a directory. git refuses the same ones when it checks out; a
/// tree made by hand can hold any of them.
enum TreeEntryName {
    /// Why `name` (without its final NUL) must not be written; nil when it may.
    static func problem(_ name: some Collection<UInt8>) -> String? {
        let bytes = Array(name)
        if bytes.isEmpty { return "is empty" }
        if bytes.count > 255 { return "is longer than 255 bytes" }
        if bytes == [dot] || bytes == [dot, dot] { return "leaves the directory" }
        if bytes.contains(slash) || bytes.contains(0) { return "holds a slash or a NUL" }
        // A backslash is an ordinary character here, but separates directories elsewhere.
        for part in bytes.split(separator: backslash, omittingEmptySubsequences: true)
        where isGitDirectory(part) {
            return "means git's own directory"
        }
        return nil
    }

    /// `.git` in every spelling that some file system takes for it: other case, NTFS short name, trailing
    /// dots and spaces, stream suffixes, and code points that HFS+ ignores.
    static func isGitDirectory(_ name: some Collection<UInt8>) -> Bool {
        var folded: [UInt8] = []
        let bytes = Array(name)
        var index = 0
        while index < bytes.count {
            if let length = ignoredLength(bytes[index...]) {
                index += length
                continue
            }
            let byte = bytes[index]
            folded.append((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte)
            index += 1
        }
        if let colon = folded.firstIndex(of: UInt8(ascii: ":")) { folded.removeSubrange(colon...) }
        while let last = folded.last, last == dot || last == UInt8(ascii: " ") { folded.removeLast() }
        return folded == Array(".git".utf8) || folded == Array("git~1".utf8)
    }

    private static let dot = UInt8(ascii: ".")
    private static let slash = UInt8(ascii: "/")
    private static let backslash = UInt8(ascii: "\\")

    /// The length in bytes of a code point that HFS+ leaves out when it compares: U+200C to U+200F, U+202A to
    /// U+202E, U+206A to U+206F, U+FEFF.
    private static func ignoredLength(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 3 else { return nil }
        let (a, b, c) = (bytes[bytes.startIndex], bytes[bytes.startIndex + 1], bytes[bytes.startIndex + 2])
        switch (a, b, c) {
        case (0xE2, 0x80, 0x8C...0x8F), (0xE2, 0x80, 0xAA...0xAE), (0xE2, 0x81, 0xAA...0xAF),
            (0xEF, 0xBB, 0xBF):
            return 3
        default: return nil
        }
    }
}
