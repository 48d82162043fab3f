// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Glibc
internal import KintoCore
internal import Wire

extension ArtifactStore {
    /// Makes sure that an artifact is as it was stored. Files whose size and times are as they were count as
    /// unchanged; the others are hashed again. Files that a service added are allowed.
    /// - Parameters:
    ///   - artifact: as it was given when it was stored.
    ///   - hashAll: read every file, whatever its times say.
    ///   - cancellation: looked at between files.
    /// - Throws: `artifact-missing` when it is not there, `artifact-damaged` naming up to five of what is
    ///   missing or changed; `CancellationError`.
    public func verify(
        _ artifact: Artifact, hashAll: Bool = false, cancellation: Cancellation = Cancellation()
    ) throws {
        try ArtifactStore.checkID(artifact.id)
        let top = "\(root)/\(artifact.id)/tree"
        let bytes: [UInt8]
        let tree: Descriptor
        do throws(SystemError) {
            bytes = try Files.read("\(root)/\(artifact.id)/manifest", limit: 1 << 30)
            tree = try Descriptor.open(top, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        } catch {
            throw Failure(
                code: "artifact-missing", "The files of artifact \(artifact.id) are not there any more.",
                evidence: [error.description])
        }
        guard let manifest = ArtifactManifest(decoding: bytes), manifest.sha256 == artifact.sha256 else {
            throw damaged(artifact, ["its list of files (manifest)"])
        }
        var problems: [String] = []
        let sealer = FileSealer()
        for entry in manifest.entries {
            try cancellation.check()
            if let problem = problem(entry, in: tree, sealer: sealer, hashAll: hashAll) {
                problems.append("\(entry.shownPath) \(problem)")
            }
        }
        if !problems.isEmpty { throw damaged(artifact, problems) }
    }

    private func damaged(_ artifact: Artifact, _ problems: [String]) -> Failure {
        let more = problems.count > 5 ? " and \(problems.count - 5) more" : ""
        return Failure(
            code: "artifact-damaged",
            "Artifact \(artifact.id) is not what was stored: \(problems.prefix(5).joined(separator: ", "))\(more).",
            hints: [.init("Deploy the commit again, which builds it anew.")])
    }

    /// What is wrong with one entry. Paths are safe to use whole: a directory that became a link is found at
    /// its own entry, which comes before those in it.
    private func problem(
        _ entry: ArtifactManifest.Entry, in tree: Descriptor, sealer: FileSealer, hashAll: Bool
    ) -> String? {
        let path = entry.path.map { CChar(bitPattern: $0) } + [0]
        var status = stat()
        guard fstatat(tree.raw, path, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            return errno == ENOENT || errno == ENOTDIR ? "is missing" : "cannot be read"
        }
        switch (entry.kind, status.st_mode & S_IFMT) {
        case (.directory, S_IFDIR): return nil
        case (.link, S_IFLNK):
            guard let target = try? DirectoryReader.target(path, in: tree, path: "") else {
                return "cannot be read"
            }
            return hexadecimal(SHA256.hash(data: target)) == entry.sha256 ? nil : "changed"
        case (.file, S_IFREG):
            guard Int(status.st_size) == entry.size, status.st_mode & 0o7111 == entry.mode & 0o7111 else {
                return "changed"
            }
            if !hashAll, status.modifiedNanoseconds == entry.modified,
                status.changedNanoseconds == entry.changed
            {
                return nil
            }
            let raw = openat(tree.raw, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            guard raw >= 0, let (hash, _) = try? sealer.digest(Descriptor(owning: raw), "") else {
                return "cannot be read"
            }
            return hash == entry.sha256 ? nil : "changed"
        default: return "changed"
        }
    }
}
