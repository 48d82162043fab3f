// SPDX-License-Identifier: Apache-2.0
internal import CGit2
internal import Glibc
internal import KintoCore
internal import Wire

/// Makes what the proxy needs to answer with the files of an artifact: their index, and compressed forms of those that get
/// smaller. It is kept beside the tree, and made once.
struct SiteIndexer {
    struct Made: Sendable {
        var files = 0
        var compressed = 0
        var warnings: [String] = []
    }

    let artifact: Artifact
    let source: SiteSource
    let cancellation: Cancellation

    /// Smaller ones fit into a packet or two anyway; larger ones would take too much memory.
    private static let compressed = 1024...(32 << 20)
    private static let rulesLimit = 1 << 20

    private var directory: String { Files.parent(of: artifact.path) }
    private var place: String { "\(directory)/\(source.folder)" }
    private var key: String { source.isSite ? "static.output" : "assets.directory" }

    /// Blocks.
    /// - Parameter fallback: a page that must be there.
    /// - Returns: nil when it was there.
    /// - Throws: `Failure` of code `static-missing`, `static-empty`, `static-too-many`, `path-outside`, `disk-full`,
    ///   `file-system`; `CancellationError`.
    func make(fallback: String?) throws -> Made? {
        if let bytes = try? Files.read("\(place)/index", limit: 512 << 20),
            let fields = try? Fields(decoding: bytes), let index = try? SiteIndex(fields)
        {
            try require(fallback, in: index)
            return nil
        }
        let staging = "\(directory)/.\(source.folder)"
        do {
            try Files.removeTree(staging)
            try check("mkdir", staging) { mkdir(staging, 0o755) }
            defer { try? Files.removeTree(staging) }
            let (index, made) = try index(staging)
            try require(fallback, in: index)
            try Files.replace("\(staging)/index", with: index.fields.encoded(), mode: 0o444, durable: false)
            let folder = try Descriptor.open(staging, O_RDONLY | O_DIRECTORY)
            try check("syncfs", staging) { kinto_syncfs(folder.raw) }
            try Files.removeTree(place)
            try check("rename", place) { rename(staging, place) }
            try Files.synchronizeDirectory(directory)
            return made
        } catch let error as SystemError { throw error.failure("Making the index of the site") }
    }

    private func require(_ fallback: String?, in index: SiteIndex) throws(Failure) {
        if index.files.isEmpty {
            throw Failure(
                stage: .store, code: "static-empty",
                "'\(source.directory)' (\(key) in kinto.json) holds no file that could be served",
                hints: [
                    .init(
                        "look whether the build wrote elsewhere; names that begin with a dot are not served")
                ])
        }
        guard let fallback, case .file? = index.answers["/\(fallback)"] else {
            if fallback == nil { return }
            let pages = index.files.filter(\.isPage).count
            throw Failure(
                stage: .store, code: "static-fallback",
                "there is no page '\(fallback ?? "")' (static.fallback in kinto.json) among the files of the site",
                evidence: ["it has \(index.files.count) files, \(pages) of them pages"],
                hints: [.init("name a page relative to static.output, like \"index.html\"")])
        }
    }

    private func index(_ staging: String) throws -> (SiteIndex, Made) {
        let tree = try SiteTree(directory, directory: source.directory, key: key, cancellation: cancellation)
        let headers = try rules(SiteHeaders.name, tree).map(SiteHeaders.init) ?? SiteHeaders()
        let redirects = try rules(SiteRedirects.name, tree).map(SiteRedirects.init) ?? SiteRedirects()
        let own: Set<String> =
            source.isSite ? [SiteHeaders.name, SiteRedirects.name, "kinto.json", "Procfile"] : []
        let served = tree.entries.filter { !own.contains($0.path) }
        let known = Dictionary(served.map { ($0.path, $0) }, uniquingKeysWith: { one, _ in one })
        let hashes = hashes()

        var made = Made(files: served.count, warnings: tree.warnings + headers.warnings + redirects.warnings)
        var index = SiteIndex()
        var paths = SitePaths(source)
        for entry in served {
            try cancellation.check()
            let name = entry.path.split(separator: "/").last ?? ""
            let type = MediaType.of(name)
            var file = try SiteIndex.File(
                source: entry.source, size: entry.size,
                tag: String((hashes[entry.source] ?? digest(entry)).prefix(32)), type: type)
            file.brotli = known["\(entry.path).br"].map { .init(source: $0.source, size: $0.size) }
            if let own = known["\(entry.path).gz"] {
                file.gzip = .init(source: own.source, size: own.size)
            } else if MediaType.isCompressible(type), SiteIndexer.compressed.contains(entry.size),
                let bytes = Gzip.compress(try Files.read("\(directory)/\(entry.source)", limit: entry.size)),
                bytes.count < entry.size - entry.size / 10
            {
                let name = "\(index.files.count).gz"
                try Files.replace("\(staging)/\(name)", with: bytes, mode: 0o444, durable: false)
                file.gzip = .init(source: "\(source.folder)/\(name)", size: bytes.count)
                made.compressed += 1
            }
            paths.add(entry.path, index.files.count)
            index.files.append(file)
        }
        index.answers = paths.answers { path, number in
            let name = path.split(separator: "/").last ?? ""
            return headers.lines(
                path,
                usual: [
                    ("Content-Type", index.files[number].type),
                    (
                        "Cache-Control",
                        HashedName.matches(name)
                            ? "public, max-age=31536000, immutable" : "public, max-age=0, must-revalidate"
                    ),
                ])
        }
        index.rules = redirects.rules
        return (index, made)
    }

    /// The text of `_headers` or `_redirects`.
    private func rules(_ name: String, _ tree: SiteTree) throws(SystemError) -> String? {
        guard source.isSite, let entry = tree.entries.first(where: { $0.path == name }) else { return nil }
        return String(
            decoding: try Files.read("\(directory)/\(entry.source)", limit: SiteIndexer.rulesLimit),
            as: UTF8.self)
    }

    /// Of the files that the artifact was stored with, by their sources.
    private func hashes() -> [String: String] {
        guard let bytes = try? Files.read("\(directory)/manifest", limit: 1 << 30),
            let manifest = ArtifactManifest(decoding: bytes)
        else { return [:] }
        return Dictionary(
            manifest.entries.filter { $0.kind == .file }.map {
                ("tree/\(String(decoding: $0.path, as: UTF8.self))", $0.sha256)
            }, uniquingKeysWith: { one, _ in one })
    }

    /// Of one that a release command made.
    private func digest(_ entry: SiteTree.Entry) throws -> String {
        let file = try Descriptor.open("\(directory)/\(entry.source)", O_RDONLY | O_NOFOLLOW)
        return try FileSealer(check: cancellation.check).digest(file, entry.path).0
    }
}
