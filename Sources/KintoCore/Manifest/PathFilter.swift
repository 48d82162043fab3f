// SPDX-License-Identifier: Apache-2.0

/// Which changed files concern a service: `paths` of kinto.json.
///
/// `*` and `?` stay within a component, `**` stands for any number of them, and the name of a directory for all below it. `!` before
/// a pattern takes out again what one before it took in; the last one that matches a file decides. When all of them take out, the
/// rest is in.
public struct PathFilter: Sendable {
    private struct Pattern: Sendable {
        let takesOut: Bool
        let parts: [[UInt8]]
    }

    private let patterns: [Pattern]

    public init(_ texts: [String]) {
        patterns = texts.map { text in
            let takesOut = text.hasPrefix("!")
            let parts = (takesOut ? String(text.dropFirst()) : text).split(separator: "/").filter {
                $0 != "."
            }
            return Pattern(takesOut: takesOut, parts: parts.map { Array($0.utf8) })
        }
    }

    /// - Parameter path: from the root of the repository, without a slash before it.
    public func contains(_ path: String) -> Bool {
        let parts = path.split(separator: "/").map { Array($0.utf8) }
        guard let last = patterns.last(where: { PathFilter.matches($0.parts, parts) }) else {
            return patterns.allSatisfy(\.takesOut)
        }
        return !last.takesOut
    }

    /// A pattern that is used up names a directory above the file, or the file. After a mismatch the last `**` takes one component
    /// more: what was matched before it need not be tried again, so that no pattern takes long.
    private static func matches(_ pattern: [[UInt8]], _ path: [[UInt8]]) -> Bool {
        var (p, n) = (0, 0)
        var stars: (pattern: Int, path: Int)?
        while p < pattern.count {
            if pattern[p] == Array("**".utf8) {
                if p == pattern.count - 1 { return n < path.count }
                stars = (p, n)
                p += 1
            } else if n < path.count, Wildcard.matches(pattern[p], path[n]) {
                p += 1
                n += 1
            } else if let last = stars, last.path < path.count {
                stars = (last.pattern, last.path + 1)
                (p, n) = (last.pattern + 1, last.path + 1)
            } else {
                return false
            }
        }
        return true
    }
}
