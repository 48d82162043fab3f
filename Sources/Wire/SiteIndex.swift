// SPDX-License-Identifier: Apache-2.0

/// What a release answers with files: made once when its artifact is, read by the proxy, which then looks nothing up on the
/// disk but the bytes. Only what is listed is ever sent.
///
/// All places are relative to the directory that the artifact is kept in, so that it may be moved.
public struct SiteIndex: Sendable, Equatable {
    /// The same file in another coding.
    public struct Variant: Sendable, Equatable {
        public var source: String
        /// Bytes.
        public var size: Int

        public init(source: String, size: Int) {
            self.source = source
            self.size = size
        }
    }

    public struct File: Sendable, Equatable {
        /// Without links, and without a link on the way to it.
        public var source: String
        /// Bytes.
        public var size: Int
        /// Names its content: the same in every release that has it.
        public var tag: String
        /// Content-Type.
        public var type: String
        public var gzip: Variant?
        public var brotli: Variant?

        public init(
            source: String, size: Int, tag: String, type: String, gzip: Variant? = nil,
            brotli: Variant? = nil
        ) {
            self.source = source
            self.size = size
            self.tag = tag
            self.type = type
            self.gzip = gzip
            self.brotli = brotli
        }

        /// Whether it is what a browser is navigated to.
        public var isPage: Bool { type.hasPrefix("text/html") }
    }

    /// What stands at a path of a URL.
    public enum Answer: Sendable, Equatable {
        /// - Parameter head: the place among `heads`.
        case file(Int, head: Int)
        /// Elsewhere on the site.
        case moved(String)
    }

    /// A line of `_redirects`.
    public struct Rule: Sendable, Equatable {
        /// A path; a segment `:name` stands for any one, a last `*` for all that is left.
        public var from: String
        /// A path of the site, or a whole address.
        public var to: String
        public var status: Int
        /// Also where there is a file.
        public var isForced: Bool

        public init(from: String, to: String, status: Int, isForced: Bool) {
            self.from = from
            self.to = to
            self.status = status
            self.isForced = isForced
        }
    }

    public var files: [File] = []
    /// Whole lines of heads, each once: most files of a site have the same.
    public var heads: [String] = []
    /// By decoded path. Bytes, because texts that look alike are one text to Swift, and two names to the disk.
    public var answers: [[UInt8]: Answer] = [:]
    public var rules: [Rule] = []

    public init() {}

    private static let version = "1"

    public var fields: Fields {
        var f = Fields()
        f.add("site", SiteIndex.version)
        for file in files {
            f.add("file", file.source)
            f.add("size", file.size)
            f.add("tag", file.tag)
            f.add("type", file.type)
            for (name, variant) in [("gzip", file.gzip), ("brotli", file.brotli)] {
                guard let variant else { continue }
                f.add(name, "\(variant.size) \(variant.source)")
            }
        }
        for head in heads { f.add("head", head) }
        for (path, answer) in answers.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            f.add("at", String(decoding: path, as: UTF8.self))
            switch answer {
            case .file(let number, let head): f.add("is", "\(number) \(head)")
            case .moved(let to): f.add("moved", to)
            }
        }
        for rule in rules {
            f.add("rule", rule.from)
            f.add("to", rule.to)
            f.add("status", rule.status)
            f.add("forced", rule.isForced)
        }
        return f
    }

    /// - Throws: when it is not whole, or of a version that is not known.
    public init(_ f: Fields) throws(WireError) {
        guard try f.required("site") == SiteIndex.version else { throw .malformed("version of the index") }
        var path: [UInt8] = []
        for entry in f.entries {
            let (last, lastRule) = (files.count - 1, rules.count - 1)
            switch entry.name {
            case "file": files.append(File(source: entry.value, size: 0, tag: "", type: ""))
            case "size" where last >= 0: files[last].size = try SiteIndex.number(entry)
            case "tag" where last >= 0: files[last].tag = entry.value
            case "type" where last >= 0: files[last].type = entry.value
            case "gzip" where last >= 0: files[last].gzip = try SiteIndex.variant(entry)
            case "brotli" where last >= 0: files[last].brotli = try SiteIndex.variant(entry)
            case "head": heads.append(entry.value)
            case "at": path = Array(entry.value.utf8)
            case "is":
                let parts = entry.value.split(separator: " ")
                guard parts.count == 2, let number = Int(parts[0]), let head = Int(parts[1]),
                    files.indices.contains(number), heads.indices.contains(head)
                else { throw .malformed("is") }
                answers[path] = .file(number, head: head)
            case "moved": answers[path] = .moved(entry.value)
            case "rule":
                rules.append(Rule(from: entry.value, to: "", status: 301, isForced: false))
            case "to" where lastRule >= 0: rules[lastRule].to = entry.value
            case "status" where lastRule >= 0: rules[lastRule].status = try SiteIndex.number(entry)
            case "forced" where lastRule >= 0: rules[lastRule].isForced = entry.value == "1"
            default: break
            }
        }
    }

    private static func number(_ entry: Fields.Entry) throws(WireError) -> Int {
        guard let number = Int(entry.value), number >= 0 else { throw .malformed(entry.name) }
        return number
    }

    private static func variant(_ entry: Fields.Entry) throws(WireError) -> Variant {
        let parts = entry.value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let size = Int(parts[0]), size >= 0 else { throw .malformed(entry.name) }
        return Variant(source: String(parts[1]), size: size)
    }
}
