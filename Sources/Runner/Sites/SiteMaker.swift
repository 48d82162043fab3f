// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// Makes the index of a site, and the compressed forms of its files.
struct SiteMaker {
    private let indexer: SiteIndexer
    private let staging: String
    /// The artifact's own directory. Its files are opened within it: what runs in the tree may put links there meanwhile.
    private let root: Beneath
    private let tree: SiteTree
    private let headers: SiteHeaders
    private(set) var index = SiteIndex()
    private var made: SiteIndexer.Made
    private var heads: SiteHeads

    /// Smaller ones fit into a packet or two anyway; larger ones would take too much memory.
    private static let compressed = 1024...(32 << 20)
    private static let rulesLimit = 1 << 20

    /// - Parameter staging: where the compressed forms go.
    init(_ indexer: SiteIndexer, _ staging: String) throws {
        (self.indexer, self.staging) = (indexer, staging)
        root = try Beneath(indexer.directory)
        tree = try SiteTree(
            indexer.directory, directory: indexer.source.directory, named: indexer.name, key: indexer.key,
            cancellation: indexer.cancellation)
        let (root, tree, isSite) = (root, tree, indexer.source.isSite)
        func text(_ name: String) throws -> String? {
            guard isSite, let entry = tree.entries.first(where: { $0.path == name }) else { return nil }
            guard entry.size <= SiteMaker.rulesLimit else {
                throw Failure(
                    stage: .store, code: "static-rules",
                    "\(name) has \(entry.size) bytes; at most \(SiteMaker.rulesLimit >> 20) MiB is read",
                    hints: [
                        .init("make one rule of many with '*' or ':name', or leave out what is not needed")
                    ])
            }
            return String(
                decoding: try root.file(entry.source).readAll(limit: SiteMaker.rulesLimit), as: UTF8.self)
        }
        headers = try text(SiteHeaders.name).map(SiteHeaders.init) ?? SiteHeaders()
        let redirects = try text(SiteRedirects.name).map(SiteRedirects.init) ?? SiteRedirects()
        index.rules = redirects.rules
        made = .init(warnings: tree.warnings + headers.warnings + redirects.warnings)
        heads = SiteHeads(headers)
    }

    mutating func make() throws -> SiteIndexer.Made {
        let own: Set<String> =
            indexer.source.isSite ? [SiteHeaders.name, SiteRedirects.name, "kinto.json", "Procfile"] : []
        let served = tree.entries.filter { !own.contains($0.path) }
        made.files = served.count
        let known = Dictionary(
            served.map { (Array($0.path.utf8), $0) }, uniquingKeysWith: { one, _ in one })
        let hashes = hashes()
        var paths = SitePaths(indexer.source)
        var wrong: [String] = []
        for entry in served {
            try indexer.cancellation.check()
            var file = try SiteIndex.File(
                source: entry.source, size: entry.size,
                tag: String((hashes[Array(entry.source.utf8)] ?? digest(entry)).prefix(32)),
                type: MediaType.of(entry.name))
            file.brotli = known[Array("\(entry.path).br".utf8)].flatMap {
                // There is no empty text in it.
                $0.size > 0 ? .init(source: $0.source, size: $0.size) : nil
            }
            if let own = known[Array("\(entry.path).gz".utf8)] {
                if try Gzip.holds(entry.size, try root.file(own.source), size: own.size) {
                    file.gzip = .init(source: own.source, size: own.size)
                } else {
                    wrong.append(shown(own.path.utf8))
                }
            }
            if file.gzip == nil { file.gzip = try compress(entry, file.type, index.files.count) }
            paths.add(entry.path, index.files.count)
            index.files.append(file)
        }
        if !wrong.isEmpty {
            made.warnings.append(
                "not served in the place of the files beside them, which they are no gzip of: "
                    + wrong.prefix(5).joined(separator: ", ")
                    + (wrong.count > 5 ? " and \(wrong.count - 5) more" : ""))
        }
        try place(paths)
        return made
    }

    private mutating func compress(_ entry: SiteTree.Entry, _ type: String, _ number: Int) throws
        -> SiteIndex.Variant?
    {
        guard MediaType.isCompressible(type), SiteMaker.compressed.contains(entry.size),
            let bytes = Gzip.compress(try root.file(entry.source).readAll(limit: entry.size)),
            bytes.count < entry.size - entry.size / 10
        else { return nil }
        try Files.replace("\(staging)/\(number).gz", with: bytes, mode: 0o444, durable: false)
        made.compressed += 1
        return .init(source: "\(indexer.source.folder)/\(number).gz", size: bytes.count)
    }

    private mutating func place(_ paths: SitePaths) throws {
        let types = index.files.map(\.type)
        let cancellation = indexer.cancellation
        var heads = heads
        index.answers = try paths.answers { path, number in
            try cancellation.check()
            return heads.place(path, type: types[number])
        }
        index.heads = heads.texts
        if heads.isCut {
            made.warnings.append("_headers says more than kinto takes for some files: the rest is left out")
        }
        var lost: [String] = []
        for (number, rule) in index.rules.enumerated() where rule.status == 200 || rule.status >= 400 {
            if rule.to.utf8.contains(UInt8(ascii: ":")) { continue }
            if case .file? = index.answers[Array(rule.to.utf8)] { continue }
            // The page of a directory.
            if case .file? = index.answers[Array("\(rule.to)/".utf8)] {
                index.rules[number].to += "/"
            } else {
                lost.append(shown(rule.to.utf8.prefix(80)))
            }
        }
        if !lost.isEmpty {
            made.warnings.append(
                "_redirects: there is no file for \(lost.prefix(5).joined(separator: ", "))"
                    + (lost.count > 5 ? " and \(lost.count - 5) more" : ""))
        }
    }

    /// Of the files that the artifact was stored with, by their sources.
    private func hashes() -> [[UInt8]: String] {
        guard let bytes = try? Files.read("\(indexer.directory)/manifest", limit: 1 << 30),
            let manifest = ArtifactManifest(decoding: bytes)
        else { return [:] }
        return Dictionary(
            manifest.entries.filter { $0.kind == .file }.map { (Array("tree/".utf8) + $0.path, $0.sha256) },
            uniquingKeysWith: { one, _ in one })
    }

    /// Of one that a release command made.
    private func digest(_ entry: SiteTree.Entry) throws -> String {
        try FileSealer(check: indexer.cancellation.check).digest(root.file(entry.source), entry.path).0
    }
}
