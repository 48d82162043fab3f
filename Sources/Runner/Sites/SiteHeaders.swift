// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// The file `_headers` of a site: a path, then indented lines `Name: value` for what is below it.
struct SiteHeaders {
    private struct Block {
        let pattern: [Substring.UTF8View.Element]
        var fields: [(name: String, value: String)] = []
    }

    private var blocks: [Block] = []
    private(set) var warnings: [String] = []
    static let name = "_headers"
    private static let most = 1_000
    private static let longestPath = 1024

    init() {}

    init(_ text: String) {
        for (index, line) in RuleFile.lines(text) {
            let isIndented = line.first == " " || line.first == "\t"
            let words = line.trimmed
            if words.isEmpty || words.hasPrefix("#") { continue }
            if !isIndented {
                guard words.hasPrefix("/") else {
                    warn(index, "is no path of this site: \(shown(words.utf8.prefix(80)))")
                    blocks.append(Block(pattern: []))
                    continue
                }
                guard words.utf8.count <= SiteHeaders.longestPath else {
                    warn(index, "the path has more than \(SiteHeaders.longestPath) bytes")
                    blocks.append(Block(pattern: []))
                    continue
                }
                blocks.append(Block(pattern: Array(words.utf8)))
                continue
            }
            guard let colon = words.firstIndex(of: ":"), !blocks.isEmpty else {
                warn(index, "is neither a path nor 'Name: value': \(shown(words.utf8.prefix(80)))")
                continue
            }
            let (name, value) = (words[..<colon].trimmed, words[words.index(after: colon)...].trimmed)
            if let problem = SiteHeaders.problem(name, value) {
                warn(index, problem)
                continue
            }
            blocks[blocks.count - 1].fields.append((String(name), String(value)))
        }
        RuleFile.shorten(&warnings, SiteHeaders.name)
        if blocks.count > SiteHeaders.most {
            warnings.append("_headers has more than \(SiteHeaders.most) paths: the rest is left out")
            blocks.removeLast(blocks.count - SiteHeaders.most)
        }
    }

    private mutating func warn(_ index: Int, _ words: String) {
        warnings.append("_headers, line \(index + 1): \(words)")
    }

    /// What the proxy says itself, and what frames a message.
    private static let own: Set<String> = [
        "accept-ranges", "connection", "content-encoding", "content-length", "content-range", "date", "etag",
        "keep-alive", "location", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via",
    ]

    private static func problem(_ name: Substring, _ value: Substring) -> String? {
        let isToken =
            !name.isEmpty && name.utf8.count <= 100
            && name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
            }
        if !isToken { return "'\(shown(name.utf8.prefix(80)))' is no name of a header" }
        if own.contains(name.lowercased()) { return "\(name) is set by kinto" }
        guard value.utf8.count <= 4096, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 9 }) else {
            return "the value of \(name) is longer than 4096 bytes or holds control characters"
        }
        return nil
    }

    /// Of which blocks the fields are for a path.
    func matching(_ path: [UInt8]) -> [Int] {
        blocks.indices.filter { SiteHeaders.matches(blocks[$0].pattern[...], path[...]) }
    }

    /// What an answer has at most of them: more is refused by browsers, and by proxies on the way.
    private static let longest = 8 << 10

    /// Whole lines for paths of some blocks: the usual ones, but for those that are set by the file; of these, and of others
    /// that an answer has once, the last one counts.
    /// - Returns: also whether some had to be left out.
    func lines(_ matching: [Int], usual: [(name: String, value: String)]) -> (text: String, isCut: Bool) {
        var fields = usual
        for field in matching.flatMap({ blocks[$0].fields }) {
            let isUsual = usual.contains { $0.name.lowercased() == field.name.lowercased() }
            if isUsual { fields.removeAll { $0.name.lowercased() == field.name.lowercased() } }
            fields.append(field)
        }
        var text = ""
        for field in fields {
            let line = "\(field.name): \(field.value)\r\n"
            if text.utf8.count + line.utf8.count > SiteHeaders.longest { return (text, true) }
            text += line
        }
        return (text, false)
    }

    /// `*` stands for anything, `:name` for one segment.
    private static func matches(_ pattern: ArraySlice<UInt8>, _ path: ArraySlice<UInt8>) -> Bool {
        var (pattern, path) = (pattern, path)
        // Where to go on when the last `*` has to take more.
        var retry: (pattern: ArraySlice<UInt8>, path: ArraySlice<UInt8>)?
        while true {
            if pattern.first == UInt8(ascii: "*") {
                pattern = pattern.dropFirst()
                retry = (pattern, path)
                if pattern.isEmpty { return true }
                continue
            }
            if pattern.first == UInt8(ascii: ":"), let next = path.first, next != UInt8(ascii: "/") {
                pattern = pattern.drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "*") }
                path = path.drop { $0 != UInt8(ascii: "/") }
                continue
            }
            if let first = path.first, pattern.first == first {
                pattern = pattern.dropFirst()
                path = path.dropFirst()
                continue
            }
            if pattern.isEmpty, path.isEmpty { return true }
            guard let last = retry, !last.path.isEmpty else { return false }
            retry = (last.pattern, last.path.dropFirst())
            (pattern, path) = (last.pattern, last.path.dropFirst())
        }
    }
}
