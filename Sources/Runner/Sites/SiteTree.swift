// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// The files below a directory of an artifact, as they are without links.
struct SiteTree {
    struct Entry {
        /// Below the directory: `assets/app.js`
        let path: String
        /// Relative to the artifact's own directory: `tree/public/assets/app.js`
        let source: String
        let size: Int

        /// Its last part.
        var name: Substring.UTF8View { path.utf8.split(separator: UInt8(ascii: "/")).last ?? path.utf8[...] }
    }

    /// More than this is no site, but a mistake in the name of the directory.
    static let most = 100_000
    private static let deepest = 64

    private(set) var entries: [Entry] = []
    private(set) var warnings: [String] = []
    /// The artifact's own directory, the tree in it, and the directory that is read: absolute, without links.
    private let (artifact, top): (String, String)
    private let cancellation: Cancellation
    private var leftOut: (links: [String], names: [String]) = ([], [])

    /// Reads all of it. Blocks.
    /// - Parameters:
    ///   - directory: below `tree`.
    ///   - named: what messages call it.
    ///   - key: of kinto.json, which named it.
    /// - Throws: `static-missing`, `static-too-many`, `path-outside`, `file-system`; `CancellationError`.
    init(
        _ artifact: String, directory: String, named: String, key: String, cancellation: Cancellation
    ) throws {
        let tree = "\(artifact)/tree"
        self.cancellation = cancellation
        do {
            let place = try Beneath(artifact).path("tree")
            top = try Beneath(tree).path(directory)
            self.artifact = Files.parent(of: place)
        } catch {
            throw SiteTree.missing(named, key, tree, error)
        }
        let root = try Descriptor.open(top, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        do { try read(root, "", depth: 0) } catch let error as SystemError {
            throw error.failure("Reading the files of \(key)")
        }
        if !leftOut.links.isEmpty {
            warnings.append(
                "links to directories, and to what is not in '\(named)', are not served: \(list(leftOut.links))"
            )
        }
        if !leftOut.names.isEmpty {
            warnings.append("names that are not UTF-8 are not served: \(list(leftOut.names))")
        }
        entries.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    private static func missing(_ directory: String, _ key: String, _ tree: String, _ error: SystemError)
        -> Failure
    {
        if error.code == EXDEV || error.code == ELOOP {
            return Failure(
                stage: .store, code: "path-outside",
                "'\(directory)' (\(key) in kinto.json) leads out of what is kept through a link",
                hints: [.init("name a directory of the repository, or copy what the link means into it")])
        }
        return Failure(
            stage: .store, code: "static-missing",
            "there is no directory '\(directory)' (\(key) in kinto.json) in what is kept",
            evidence: BuildPlace.there(tree),
            hints: [.init("correct \(key), or have build.command make the directory")])
    }

    private func list(_ names: [String]) -> String {
        names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
    }

    private mutating func read(_ directory: Descriptor, _ prefix: String, depth: Int) throws {
        try cancellation.check()
        guard depth < SiteTree.deepest else {
            throw Failure(
                stage: .store, code: "static-too-many",
                "directories of the site are nested more than \(SiteTree.deepest) deep")
        }
        for item in try DirectoryReader.items(directory, path: "\(top)/\(prefix)") {
            let bytes = item.name.dropLast().map { UInt8(bitPattern: $0) }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                leftOut.names.append(shown(prefix.utf8) + shown(bytes))
                continue
            }
            // What is hidden stays so (.env, .git), but for what has to be found (RFC 8615).
            if bytes.first == UInt8(ascii: "."), name != ".well-known" { continue }
            let path = prefix + name
            switch item.kind {
            case S_IFREG: try add(path, "\(top)/\(path)", Int(item.status.st_size))
            case S_IFDIR:
                try read(
                    DirectoryReader.open(item.name, in: directory, path: "\(top)/\(path)"), path + "/",
                    depth: depth + 1)
            case S_IFLNK:
                if let (real, size) = file(behind: path) {
                    try add(path, real, size)
                } else {
                    leftOut.links.append(shown(path.utf8))
                }
            default: break
            }
        }
    }

    private mutating func add(_ path: String, _ real: String, _ size: Int) throws {
        guard entries.count < SiteTree.most else {
            throw Failure(
                stage: .store, code: "static-too-many", "the site has more than \(SiteTree.most) files",
                hints: [.init("name the directory that holds only what visitors need")])
        }
        // Bytes are counted: a text may have fewer characters, also together with what comes after it.
        let source = String(decoding: real.utf8.dropFirst(artifact.utf8.count + 1), as: UTF8.self)
        entries.append(Entry(path: path, source: source, size: size))
    }

    /// The regular file that a link of the site leads to, within the site.
    private func file(behind path: String) -> (path: String, size: Int)? {
        guard let raw = realpath("\(top)/\(path)", nil) else { return nil }
        defer { free(raw) }
        let real = String(cString: raw)
        var status = stat()
        guard real.utf8.starts(with: "\(top)/".utf8), lstat(real, &status) == 0,
            status.st_mode & S_IFMT == S_IFREG,
            !real.utf8.dropFirst(top.utf8.count).split(separator: UInt8(ascii: "/")).contains(where: {
                $0.first == UInt8(ascii: ".") && !$0.elementsEqual(".well-known".utf8)
            })
        else { return nil }
        return (real, Int(status.st_size))
    }
}
