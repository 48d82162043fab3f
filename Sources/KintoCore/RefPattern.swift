// SPDX-License-Identifier: Apache-2.0

/// Which branches or tags deploy an environment: `main`, `feature/*`, `release/**`, `tags/v*`. As git matches references: `*` and
/// `?` stay within a component, `**` as a component stands for any number of them.
public struct RefPattern: Sendable, Equatable, CustomStringConvertible {
    /// As people write it and as it is stored: a branch without `refs/heads/`, a tag as `tags/…`.
    public let description: String
    /// Of the full reference. A `**` at the end is preceded by `*`: it wants something to stand for.
    private let parts: [[UInt8]]

    private static let anything = Array("**".utf8)

    /// - Throws: `Failure` of code `invalid-pattern`.
    public init(_ text: String) throws(Failure) {
        func refused(_ why: String) -> Failure {
            let shown = text.unicodeScalars.prefix(60).map { $0.escaped(asASCII: true) }.joined()
            return Failure(
                code: "invalid-pattern", "'\(shown)' names no branch and no tag: \(why)",
                hints: [.init("write a branch (main), a pattern (feature/*, release/**) or tags (tags/v*)")])
        }
        let full = RefName.full(text)
        let components = full.split(separator: "/", omittingEmptySubsequences: false)
        guard full.utf8.count <= 255 else { throw refused("it is longer than 255 bytes") }
        guard full.hasPrefix("refs/heads/") || full.hasPrefix("refs/tags/") else {
            throw refused("only refs/heads/ and refs/tags/ deploy")
        }
        guard components.allSatisfy({ !$0.isEmpty }) else { throw refused("a part of it is empty") }
        guard !text.hasPrefix("-"), !full.contains("..") else { throw refused("git allows no such name") }
        guard !full.contains("[") else { throw refused("of wildcards only *, ** and ? are known") }
        guard
            full.unicodeScalars.allSatisfy({
                $0.value > 0x20 && $0.value != 0x7F && !"~^:\\".unicodeScalars.contains($0)
            })
        else { throw refused("it holds a character that no name has") }
        self.init(stored: text)
    }

    /// What was checked before.
    init(stored text: String) {
        let full = RefName.full(text)
        description = RefName.short(full)
        var parts = full.split(separator: "/").map { Array($0.utf8) }
        if parts.last == Self.anything { parts.insert(Array("*".utf8), at: parts.count - 1) }
        self.parts = parts
    }

    /// Whether it names one reference and no more.
    public var isExact: Bool { !description.contains { $0 == "*" || $0 == "?" } }
    public var isTag: Bool { RefName.isTag(description) }
    /// The only reference, in full; nil: there may be many.
    public var reference: String? { isExact ? RefName.full(description) : nil }
    /// `branch 'main'`, `tags 'v*'`
    public var words: String {
        isExact
            ? RefName.words(description)
            : isTag ? "tags '\(description.dropFirst("tags/".count))'" : "branches '\(description)'"
    }

    /// - Parameter reference: in full, `refs/heads/main`.
    public func matches(_ reference: String) -> Bool {
        let path = reference.split(separator: "/", omittingEmptySubsequences: false).map { Array($0.utf8) }
        var (p, n) = (0, 0)
        var stars: (pattern: Int, path: Int)?
        while n < path.count {
            if p < parts.count, parts[p] == Self.anything {
                stars = (p, n)
                p += 1
            } else if p < parts.count, Wildcard.matches(parts[p], path[n]) {
                p += 1
                n += 1
            } else if let last = stars {
                stars = (last.pattern, last.path + 1)
                (p, n) = (last.pattern + 1, last.path + 1)
            } else {
                return false
            }
        }
        return parts[p...].allSatisfy { $0 == Self.anything }
    }
}

/// Names of branches and tags as releases keep them: `main`, `tags/v1`; a branch that would be taken for a tag keeps its
/// full name.
public enum RefName {
    /// `refs/heads/main`
    public static func full(_ name: String) -> String {
        if name.hasPrefix("refs/") { return name }
        return name.hasPrefix("tags/") ? "refs/\(name)" : "refs/heads/\(name)"
    }

    public static func short(_ reference: String) -> String {
        if reference.hasPrefix("refs/tags/") { return String(reference.dropFirst("refs/".count)) }
        guard reference.hasPrefix("refs/heads/") else { return reference }
        let name = String(reference.dropFirst("refs/heads/".count))
        return full(name) == reference ? name : reference
    }

    public static func isTag(_ name: String) -> Bool { full(name).hasPrefix("refs/tags/") }

    /// `branch 'main'`, `tag 'v1'`, `pull request 8`
    public static func words(_ name: String) -> String {
        let full = full(name)
        if full.hasPrefix("refs/tags/") { return "tag '\(full.dropFirst("refs/tags/".count))'" }
        if let number = PullReference.number(full) { return "pull request \(number)" }
        return full.hasPrefix("refs/heads/") ? "branch '\(full.dropFirst("refs/heads/".count))'" : "'\(full)'"
    }
}
