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
    /// The directory as kinto.json has it, for messages: relative to the root. nil: what `source` has.
    var named: String?
    let cancellation: Cancellation

    var directory: String { Files.parent(of: artifact.path) }
    private var place: String { "\(directory)/\(source.folder)" }
    var name: String { named ?? source.directory }
    var key: String { source.isSite ? "static.output" : "assets.directory" }

    /// Blocks.
    /// - Parameter fallback: a page that must be there.
    /// - Returns: nil when it was there.
    /// - Throws: `Failure` of code `static-missing`, `static-empty`, `static-fallback`, `static-too-many`, `static-rules`,
    ///   `path-outside`, `disk-full`, `file-system`; `CancellationError`.
    func make(fallback: String?) throws -> Made? {
        do {
            // Several releases may have this artifact, and be deployed at the same time.
            let folder = try Descriptor.open(directory, O_RDONLY | O_DIRECTORY)
            try check("flock", directory) { flock(folder.raw, LOCK_EX) }
            if let index = kept() {
                try require(fallback, in: index)
                return nil
            }
            let staging = "\(directory)/.\(source.folder)"
            try Files.removeTree(staging)
            try check("mkdir", staging) { mkdir(staging, 0o755) }
            defer { try? Files.removeTree(staging) }
            var maker = try SiteMaker(self, staging)
            let made = try maker.make()
            try require(fallback, in: maker.index)
            try Files.replace(
                "\(staging)/index", with: maker.index.fields.encoded(), mode: 0o444, durable: false)
            try check("syncfs", staging) { kinto_syncfs(folder.raw) }
            // One that cannot be read.
            try Files.removeTree(place)
            try check("rename", place) { rename(staging, place) }
            try Files.synchronizeDirectory(directory)
            return made
        } catch let error as SystemError { throw error.failure("Making the index of the site") }
    }

    private func kept() -> SiteIndex? {
        guard let bytes = try? Files.read("\(place)/index", limit: 512 << 20),
            let fields = try? Fields(decoding: bytes)
        else { return nil }
        return try? SiteIndex(fields)
    }

    private func require(_ fallback: String?, in index: SiteIndex) throws(Failure) {
        if index.files.isEmpty {
            throw Failure(
                stage: .store, code: "static-empty",
                "'\(name)' (\(key) in kinto.json) holds no file that could be served",
                hints: [
                    .init(
                        "look whether the build wrote elsewhere; names that begin with a dot are not served")
                ])
        }
        guard let fallback, case .file? = index.answers[Array("/\(fallback)".utf8)] else {
            if fallback == nil { return }
            let pages = index.files.filter(\.isPage).count
            throw Failure(
                stage: .store, code: "static-fallback",
                "there is no page '\(fallback ?? "")' (static.fallback in kinto.json) among the files of the site",
                evidence: ["it has \(index.files.count) files, \(pages) of them pages"],
                hints: [.init("name a page relative to static.output, like \"index.html\"")])
        }
    }
}
