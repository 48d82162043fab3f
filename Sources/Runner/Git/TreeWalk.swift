// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// Goes through the trees of a commit, depth first, makes the directories and hands the files out in batches.
struct TreeWalk {
    let repository: GitRepository
    /// Of `repository`.
    let source: CheckoutSource
    /// By their paths from the top of the destination.
    let submodules: [String: Submodule]
    let state: CheckoutState
    let queue: BlockingQueue<CheckoutBatch>

    /// Small enough to share the work, large enough that the queue does not show in a profile.
    private static let batchSize = 128

    private struct Level {
        let directory: Descriptor
        let repository: GitRepository
        let source: CheckoutSource
        let prefix: String
        let depth: Int
        var pending: [TreeEntry] = []

        init(
            _ directory: Descriptor, _ repository: GitRepository, _ source: CheckoutSource, prefix: String,
            depth: Int
        ) {
            self.directory = directory
            self.repository = repository
            self.source = source
            self.prefix = prefix
            self.depth = depth
        }
    }

    func walk(_ tree: ObjectID, into top: Descriptor) throws {
        var notices = CheckoutNotices()
        var levels = [
            try enter(tree, Level(top, repository, source, prefix: "", depth: 1), notices: &notices)
        ]
        while let last = levels.indices.last {
            try state.check()
            guard let entry = levels[last].pending.popLast() else {
                levels.removeLast()
                continue
            }
            let prefix = levels[last].prefix + entry.shownName + "/"
            let depth = levels[last].depth + 1
            guard depth <= state.limits.depth else {
                throw Failure(
                    code: "tree-refused",
                    "The commit has directories more than \(state.limits.depth) deep: \(prefix.prefix(200))…")
            }
            let parent = levels[last].directory
            let directory = try make(entry, in: parent, prefix: prefix)
            var (tree, repository, source) = (entry.id, levels[last].repository, levels[last].source)
            if entry.kind == .submodule {
                (tree, repository, source) = try content(of: entry, at: String(prefix.dropLast()))
            }
            // The last one of a level does not keep that level's directory open: long chains stay cheap.
            if levels[last].pending.isEmpty { levels.removeLast() }
            levels.append(
                try enter(
                    tree, Level(directory, repository, source, prefix: prefix, depth: depth),
                    notices: &notices))
        }
        state.note(notices)
    }

    /// The tree that a submodule's entry stands for.
    private func content(
        of entry: TreeEntry, at path: String
    ) throws(Failure) -> (ObjectID, GitRepository, CheckoutSource) {
        guard let submodule = submodules[path], submodule.commit == entry.id.commitID else {
            throw Failure(code: "git-failed", "The submodule '\(path)' is not the one that was fetched.")
        }
        let source = CheckoutSource(repository: submodule.repository, trust: .ownUser)
        let repository = try GitRepository(opening: source.repository, trust: source.trust)
        return (try repository.rootTree(of: submodule.commit), repository, source)
    }

    /// Reads a tree, hands out its files, and gives the directories that remain to be gone through.
    private func enter(
        _ tree: ObjectID, _ level: Level, notices: inout CheckoutNotices
    ) throws -> Level {
        let entries = try level.repository.entries(of: tree)
        try state.countEntries(entries.count)
        var level = level
        let (directory, prefix) = (level.directory, level.prefix)
        var batch = CheckoutBatch(directory: directory, source: level.source, prefix: prefix, files: [])
        for entry in entries {
            if let problem = TreeEntryName.problem(entry.name.dropLast().lazy.map { UInt8(bitPattern: $0) }) {
                throw Failure(
                    code: "tree-refused",
                    "The commit has an entry that must not be written: '\(prefix)\(entry.shownName)' \(problem)."
                )
            }
            switch entry.kind {
            case .directory: level.pending.append(entry)
            case .submodule where submodules[prefix + entry.shownName] != nil: level.pending.append(entry)
            case .submodule:
                _ = try make(entry, in: directory, prefix: prefix + entry.shownName)
                notices.addSubmodule(prefix + entry.shownName)
            case .file, .executable, .link:
                batch.files.append(.init(name: entry.name, kind: entry.kind, id: entry.id))
                if batch.files.count == TreeWalk.batchSize {
                    queue.push(batch)
                    batch.files.removeAll(keepingCapacity: true)
                }
            case .unknown:
                throw Failure(
                    code: "tree-refused",
                    "The commit has an entry of a kind that git does not know: '\(prefix)\(entry.shownName)'."
                )
            }
        }
        if !batch.files.isEmpty { queue.push(batch) }
        return level
    }

    private func make(_ entry: TreeEntry, in parent: Descriptor, prefix: String) throws -> Descriptor {
        if mkdirat(parent.raw, entry.name, 0o755) != 0 {
            throw BlobWriter.failure(SystemError.last("mkdir", prefix), state: state)
        }
        let raw = openat(parent.raw, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else { throw BlobWriter.failure(SystemError.last("open", prefix), state: state) }
        let directory = Descriptor(owning: raw)
        do throws(SystemError) { try BlobWriter.setMode(raw, 0o755) } catch {
            throw BlobWriter.failure(SystemError(error.operation, prefix, code: error.code), state: state)
        }
        return directory
    }
}
