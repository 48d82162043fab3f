// SPDX-License-Identifier: Apache-2.0

/// The two wildcards of a path's component, without recursion: no pattern takes long.
enum Wildcard {
    /// Whether `*` (any bytes) and `?` (one byte) make the pattern fit the whole name. After a mismatch the last `*` takes one
    /// byte more; what was matched before it need not be tried again.
    static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var (p, n) = (0, 0)
        var star: (pattern: Int, name: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p, n)
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == name[n] {
                p += 1
                n += 1
            } else if let last = star {
                star = (last.pattern, last.name + 1)
                (p, n) = (last.pattern + 1, last.name + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
