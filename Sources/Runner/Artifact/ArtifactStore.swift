// SPDX-License-Identifier: Apache-2.0
internal import CGit2
internal import Glibc
public import KintoCore
internal import Wire

/// The directory of built trees: `ROOT/ID/tree` with `ROOT/ID/manifest` beside it. What stands under its ID
/// is whole and on the disk; everything else in the directory has a name that begins with a dot and may be
/// swept away.
///
/// All calls block: make them on a `GitExecutor`. One process writes; calls for different IDs may run
/// concurrently.
public struct ArtifactStore: Sendable {
    /// Absolute path of the store's directory.
    public let root: String

    /// What was stored, and what a person should know about it.
    public struct Stored: Sendable, Equatable {
        /// What was stored.
        public let artifact: Artifact
        /// Sentences about what the artifact does not hold.
        public let warnings: [String]
    }

    /// Uses a directory as the store, making it when it is not there.
    /// - Throws: `file-system`, `disk-full`.
    public init(root: String) throws(Failure) {
        self.root = root
        do { try Files.makeDirectories(root, mode: 0o711) } catch {
            throw error.failure("Opening the artifact store")
        }
    }

    /// Where the files of an artifact lie.
    public func tree(_ id: String) -> String { "\(root)/\(id)/tree" }

    /// Takes a directory into the store. On success and on most failures it is gone from where it was: it is
    /// moved, and copied only when it lies on another file system. Files lose their write permissions,
    /// directories keep theirs.
    /// - Parameters:
    ///   - directory: absolute path of the tree, which nobody writes to any more.
    ///   - id: a new ID: letters, digits, `.`, `_` and `-`, not beginning with a dot, at most 128 bytes.
    ///   - cancellation: looked at between files.
    /// - Returns: the artifact, and what a person should know about it.
    /// - Throws: `artifact-exists`, `artifact-changing`, `artifact-refused`, `disk-full`, `file-system`;
    ///   `CancellationError`.
    public func store(
        _ directory: String, id: String, cancellation: Cancellation = Cancellation()
    ) throws -> Stored {
        try ArtifactStore.checkID(id)
        let published = "\(root)/\(id)"
        guard !Files.exists(published) else {
            throw Failure(code: "artifact-exists", "There is an artifact \(id) already.")
        }
        let staging = "\(root)/.new-\(id)"
        do {
            try Files.removeTree(staging)
            try check("mkdir", staging) { mkdir(staging, 0o755) }
            let leftOut = try take(directory, to: "\(staging)/tree", cancellation)
            let sealed = try ArtifactSealer(top: "\(staging)/tree", cancellation: cancellation).seal()
            try Files.replace(
                "\(staging)/manifest", with: sealed.manifest.encoded(), mode: 0o444, durable: false)
            try synchronize(staging)
            try check("rename", published) { rename(staging, published) }
            try Files.synchronizeDirectory(root)
            let artifact = Artifact(
                id: id, sha256: sealed.manifest.sha256, bytes: sealed.manifest.bytes,
                files: sealed.manifest.files,
                path: "\(published)/tree")
            return Stored(artifact: artifact, warnings: leftOut + sealed.warnings)
        } catch {
            // What failed is the news; a remainder is swept later.
            try? Files.removeTree(staging)
            throw (error as? SystemError)?.failure("Storing the artifact") ?? error
        }
    }

    /// Removes an artifact. Nothing happens when there is none.
    public func remove(_ id: String) throws(Failure) {
        try ArtifactStore.checkID(id)
        let doomed = "\(root)/.removed-\(id)"
        do throws(SystemError) {
            try Files.removeTree(doomed)
            // Under another name first, so that half of an artifact never stands under its ID.
            if rename("\(root)/\(id)", doomed) != 0 {
                if errno == ENOENT { return }
                throw .last("rename", "\(root)/\(id)")
            }
            try Files.removeTree(doomed)
        } catch { throw error.failure("Removing artifact \(id)") }
    }

    /// Moves away what no release knows: remains of stores and removals that were cut short, and artifacts that
    /// were published in the moment before the control process ended. Quick, and not while a store runs.
    /// - Parameter known: the IDs of all artifacts on record.
    /// - Returns: the paths of what was moved, for the caller to remove.
    /// - Throws: `file-system`.
    @discardableResult
    public func setAside(unknownTo known: Set<String>) throws(Failure) -> [String] {
        do throws(SystemError) {
            var aside: [String] = []
            for name in try Files.list(root) where !known.contains(name) {
                let path = "\(root)/\(name)"
                if name.hasPrefix(".removed-") {
                    aside.append(path)
                    continue
                }
                let isOurs =
                    name.hasPrefix(".new-") || (ArtifactStore.isID(name) && Files.exists("\(path)/manifest"))
                guard isOurs else { continue }
                let moved = "\(root)/.removed-\(name)-\(getpid())-\(aside.count)"
                try check("rename", path) { rename(path, moved) }
                aside.append(moved)
            }
            return aside
        } catch { throw error.failure("Sweeping the artifact store") }
    }

    private func take(_ directory: String, to target: String, _ cancellation: Cancellation) throws -> [String]
    {
        var status = stat()
        try check("stat", directory) { lstat(directory, &status) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw Failure(code: "artifact-refused", "\(directory) is not a directory, so it cannot be kept.")
        }
        if rename(directory, target) == 0 { return [] }
        guard errno == EXDEV || errno == EBUSY else { throw SystemError.last("rename", directory) }
        var copy = TreeCopy(cancellation: cancellation)
        try copy.copy(directory, to: target)
        try Files.removeTree(directory)
        return copy.leftOut.isEmpty
            ? []
            : [
                "Sockets, FIFOs and devices were left out of the artifact: \(copy.leftOut.prefix(5).joined(separator: ", "))."
            ]
    }

    /// One call writes the whole file system out, which is much less than an fsync(2) for each file.
    private func synchronize(_ path: String) throws(SystemError) {
        let directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        try check("syncfs", path) { kinto_syncfs(directory.raw) }
    }

    private static func isID(_ id: String) -> Bool {
        let bytes = Array(id.utf8)
        return (1...128).contains(bytes.count) && bytes[0] != UInt8(ascii: ".")
            && bytes.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                    || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
            }
    }

    static func checkID(_ id: String) throws(Failure) {
        guard isID(id) else {
            throw Failure(
                code: "invalid-name", "'\(shown(id.utf8.prefix(128)))' cannot be the name of an artifact.")
        }
    }
}
