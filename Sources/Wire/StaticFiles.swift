// SPDX-License-Identifier: Apache-2.0

/// Files that the proxy answers with by itself: those of the release that is live, and for a while those of the ones before,
/// so that a page that is open finds what it was made of.
public struct StaticFiles: Sendable, Equatable {
    public struct Earlier: Sendable, Equatable {
        /// As `StaticFiles.index`.
        public var index: String
        /// Milliseconds since 1970.
        public var until: Int64

        public init(index: String, until: Int64) {
            self.index = index
            self.until = until
        }
    }

    /// Absolute path of a `SiteIndex`. What it holds never changes.
    public var index: String
    /// Whether they are all that there is; else what they have no answer for goes to the instances.
    public var isSite: Bool
    /// The path of the page that answers where a browser is navigated to what is not there.
    public var fallback: String?
    /// Newest first.
    public var earlier: [Earlier]

    public init(index: String, isSite: Bool, fallback: String? = nil, earlier: [Earlier] = []) {
        self.index = index
        self.isSite = isSite
        self.fallback = fallback
        self.earlier = earlier
    }

    func add(to f: inout Fields) {
        f.add(isSite ? "site" : "assets", index)
        if let fallback { f.add("fallback", fallback) }
        for one in earlier { f.add("earlier", "\(one.until) \(one.index)") }
    }

    /// Takes an entry, if it is one of these.
    static func read(_ entry: Fields.Entry, into files: inout StaticFiles?) {
        switch entry.name {
        case "site": files = StaticFiles(index: entry.value, isSite: true)
        case "assets": files = StaticFiles(index: entry.value, isSite: false)
        case "fallback": files?.fallback = entry.value
        case "earlier":
            let parts = entry.value.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, let until = Int64(parts[0]) else { return }
            files?.earlier.append(.init(index: String(parts[1]), until: until))
        default: break
        }
    }
}
