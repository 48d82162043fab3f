// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import KintoCore
internal import Synchronization
internal import Wire

/// Writes the tree of a commit into a new directory: the calling thread walks the tree and makes the
/// directories, two more write the files, each with an object database of its own.
///
/// Nothing is followed and nothing is replaced: each file is made anew in an open directory, so that no tree,
/// however it was made, reaches outside of the destination. Links are written as text. Attributes (line ends,
/// filters) are not applied, submodules that are not given stay empty, Git LFS pointers are not resolved: the result's
/// warnings say so.
public struct TreeExtractor: Sendable {
    private let repository: String
    private let trust: GitRepository.Trust

    /// What a checkout may grow to.
    public struct Limits: Sendable {
        /// Files, links and directories.
        public var entries: Int
        /// Of all files together.
        public var bytes: Int
        /// Of one file, which is read as a whole.
        public var fileBytes: Int
        /// Directories within each other.
        public var depth: Int

        /// Limits for repositories of any sensible size.
        public init(
            entries: Int = 1_000_000, bytes: Int = 16 << 30, fileBytes: Int = 1 << 30, depth: Int = 512
        ) {
            self.fileBytes = fileBytes
            self.entries = entries
            self.bytes = bytes
            self.depth = depth
        }
    }

    /// What was written.
    public struct Result: Sendable, Equatable {
        /// Files and links.
        public let files: Int
        /// Of all files and link targets together.
        public let bytes: Int
        /// Sentences for a person about what was left out.
        public let warnings: [String]
    }

    /// - Parameters:
    ///   - repository: absolute path of a repository, as for `GitRepository`.
    ///   - trust: whose repositories are accepted.
    public init(repository: String, trust: GitRepository.Trust = .ownUser) {
        self.repository = repository
        self.trust = trust
    }

    /// Checks a commit out. Blocks: call it on a `GitExecutor`. On failure nothing is left at `destination`.
    /// - Parameters:
    ///   - commit: in the repository.
    ///   - root: a directory of the tree, which becomes the top of the destination; empty for the whole tree.
    ///   - destination: must not exist; its parent must.
    ///   - limits: what it may grow to.
    ///   - cancellation: looked at between files.
    /// - Returns: what was written.
    /// - Throws: `Failure` of code `commit-missing`, `object-missing`, `root-missing`, `destination-exists`,
    ///   `tree-refused` (a name that must not be written, the same name twice, too deep), `tree-too-large`,
    ///   `disk-full`, `file-system`; `CancellationError`.
    public func extract(
        _ commit: CommitID, root: String = "", to destination: String, limits: Limits = Limits(),
        cancellation: Cancellation = Cancellation()
    ) throws -> Result {
        try extract(
            commit, root: root, submodules: [:], to: destination, limits: limits, cancellation: cancellation)
    }

    /// The same with submodules, by their paths and with an empty `root`; the limits are of all together.
    func extract(
        _ commit: CommitID, root: String = "", submodules: [String: Submodule], to destination: String,
        limits: Limits = Limits(), cancellation: Cancellation = Cancellation()
    ) throws -> Result {
        let source = try GitRepository(opening: repository, trust: trust)
        let tree = try subtree(root, of: commit, in: source)
        guard mkdir(destination, 0o755) == 0 else {
            if errno == EEXIST {
                throw Failure(code: "destination-exists", "\(destination) exists already.")
            }
            throw SystemError.last("mkdir", destination).failure("The checkout of \(commit.short)")
        }
        do {
            let state = CheckoutState(destination: destination, limits: limits, cancellation: cancellation)
            try write(tree, from: source, submodules, state: state)
            return state.result
        } catch {
            // What failed is the news; a remainder that cannot be removed is found by the next sweep.
            try? Files.removeTree(destination)
            throw error
        }
    }

    private func subtree(_ root: String, of commit: CommitID, in source: GitRepository) throws(Failure)
        -> ObjectID
    {
        var tree = try source.rootTree(of: commit)
        guard root != "." else { return tree }
        for part in root.split(separator: "/") {
            guard let entry = try source.entry(String(part), in: tree), entry.kind == .directory else {
                throw Failure(
                    code: "root-missing",
                    "Commit \(commit.short) has no directory '\(shown(root.utf8))', which \"root\" names.")
            }
            tree = entry.id
        }
        return tree
    }

    private func write(
        _ tree: ObjectID, from source: GitRepository, _ submodules: [String: Submodule], state: CheckoutState
    ) throws {
        let top: Descriptor
        do { top = try Descriptor.open(state.destination, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) } catch {
            throw error.failure("The checkout")
        }
        let queue = BlockingQueue<CheckoutBatch>(capacity: 32)
        var threads: [WorkerThread] = []
        defer {
            queue.close()
            for thread in threads { thread.join() }
        }
        for _ in 0..<2 {
            do {
                threads.append(
                    try WorkerThread.start {
                        state.run {
                            var writer = BlobWriter(state: state)
                            while let batch = queue.pop() {
                                try Fault.checkout.reach()
                                try writer.write(batch)
                            }
                        }
                        // After a failure the walk must not wait for room.
                        if state.hasFailed { queue.close(dropping: true) }
                    })
            } catch { throw error.failure("The checkout") }
        }
        state.run {
            try TreeWalk(
                repository: source, source: .init(repository: repository, trust: trust),
                submodules: submodules, state: state, queue: queue
            ).walk(tree, into: top)
        }
        queue.close(dropping: state.hasFailed)
        for thread in threads { thread.join() }
        threads = []
        try state.rethrow()
    }
}
