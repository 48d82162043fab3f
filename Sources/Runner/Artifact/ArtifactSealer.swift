// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Glibc
internal import KintoCore
internal import Synchronization
internal import Wire

/// Goes through a tree that is to become an artifact, on several threads: removes what an artifact cannot
/// hold, makes files read-only, and hashes them.
final class ArtifactSealer: Sendable {
    struct Sealed: Sendable {
        let manifest: ArtifactManifest
        let warnings: [String]
    }

    private struct Batch: Sendable {
        let directory: Descriptor
        let prefix: [UInt8]
        var names: [[CChar]]
    }

    private struct Shared: Sendable {
        var entries: [ArtifactManifest.Entry] = []
        var special: [String] = []
        var outside: [String] = []
        var failure: (any Error)?
    }

    private let top: String
    private let cancellation: Cancellation
    private let stopped = Atomic<Bool>(false)
    private let shared = Mutex(Shared())

    /// For the tree at `top`, which nobody else writes to any more.
    init(top: String, cancellation: Cancellation) {
        self.top = top
        self.cancellation = cancellation
    }

    /// Does it. Blocks.
    /// - Throws: `artifact-changing`, `artifact-refused`, `disk-full`, `file-system`; `CancellationError`.
    func seal() throws -> Sealed {
        let root: Descriptor
        do { root = try Descriptor.open(top, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) } catch {
            throw error.failure("Storing the artifact")
        }
        let queue = BlockingQueue<Batch>(capacity: 32)
        var threads: [WorkerThread] = []
        defer {
            queue.close()
            for thread in threads { thread.join() }
        }
        for _ in 0..<2 {
            do {
                threads.append(
                    try WorkerThread.start { [self] in
                        run {
                            let hasher = FileSealer(check: check)
                            while let batch = queue.pop() { try seal(batch, with: hasher) }
                        }
                        if stopped.load(ordering: .acquiring) { queue.close(dropping: true) }
                    })
            } catch { throw error.failure("Storing the artifact") }
        }
        run { try walk(root, queue) }
        queue.close(dropping: stopped.load(ordering: .acquiring))
        for thread in threads { thread.join() }
        threads = []
        let result = shared.withLock { $0 }
        if let failure = result.failure { throw failure }
        return Sealed(manifest: ArtifactManifest(entries: result.entries), warnings: warnings(result))
    }

    private struct Stopped: Error {}

    private func check() throws {
        if stopped.load(ordering: .acquiring) { throw Stopped() }
        try cancellation.check()
    }

    private func run(_ body: () throws -> Void) {
        do { try body() } catch is Stopped {} catch {
            let told = (error as? SystemError)?.failure("Storing the artifact") ?? error
            shared.withLock { if $0.failure == nil { $0.failure = told } }
            stopped.store(true, ordering: .releasing)
        }
    }

    private func walk(_ root: Descriptor, _ queue: BlockingQueue<Batch>) throws {
        var pending: [(directory: Descriptor, path: [UInt8], name: [CChar]?)] = [(root, [], nil)]
        while let next = pending.popLast() {
            try check()
            // Opened when its turn comes, so that a wide tree does not need many descriptors.
            let directory =
                try next.name.map { try DirectoryReader.open($0, in: next.directory, path: place(next.path)) }
                ?? next.directory
            let prefix = next.path.isEmpty ? [] : next.path + [UInt8(ascii: "/")]
            if next.path.utf8Depth > 1024 {
                throw Failure(code: "artifact-refused", "The artifact's directories are more than 1024 deep.")
            }
            var batch = Batch(directory: directory, prefix: prefix, names: [])
            for item in try DirectoryReader.items(directory, path: place(next.path)) {
                let path = prefix + item.name.dropLast().map { UInt8(bitPattern: $0) }
                switch item.kind {
                case S_IFREG:
                    batch.names.append(item.name)
                    if batch.names.count == 128 {
                        queue.push(batch)
                        batch.names.removeAll(keepingCapacity: true)
                    }
                case S_IFDIR:
                    try add(directory: item, path, in: directory)
                    pending.append((directory, path, item.name))
                case S_IFLNK: try add(link: item, path, in: directory)
                default:
                    // A socket, FIFO or device is of no use in a copy of it.
                    try Wire.check("unlink", place(path)) { unlinkat(directory.raw, item.name, 0) }
                    shared.withLock { $0.special.append(shown(path)) }
                }
            }
            if !batch.names.isEmpty { queue.push(batch) }
        }
    }

    private func add(directory item: DirectoryReader.Item, _ path: [UInt8], in parent: Descriptor)
        throws(SystemError)
    {
        // Writable and without set-id and sticky bits: a service may write beside its files, and it can be
        // removed.
        let mode = item.status.st_mode & 0o777 | 0o700
        if item.status.st_mode & 0o7777 != mode {
            try Wire.check("chmod", place(path)) { fchmodat(parent.raw, item.name, mode, 0) }
        }
        record(.init(path: path, kind: .directory, mode: mode, size: 0, sha256: "", modified: 0, changed: 0))
    }

    private func add(link item: DirectoryReader.Item, _ path: [UInt8], in parent: Descriptor)
        throws(SystemError)
    {
        let target = try DirectoryReader.target(item.name, in: parent, path: place(path))
        record(
            .init(
                path: path, kind: .link, mode: 0o777, size: target.count,
                sha256: hexadecimal(SHA256.hash(data: target)), modified: 0, changed: 0))
        if ArtifactSealer.leaves(target, from: path) { shared.withLock { $0.outside.append(shown(path)) } }
    }

    private func seal(_ batch: Batch, with sealer: FileSealer) throws {
        var entries: [ArtifactManifest.Entry] = []
        entries.reserveCapacity(batch.names.count)
        for name in batch.names {
            try check()
            let path = batch.prefix + name.dropLast().map { UInt8(bitPattern: $0) }
            entries.append(try sealer.seal(name, in: batch.directory, path: path, shownAs: place(path)))
        }
        shared.withLock { $0.entries += entries }
    }

    private func record(_ entry: ArtifactManifest.Entry) { shared.withLock { $0.entries.append(entry) } }

    private func place(_ path: [UInt8]) -> String { "\(top)/\(shown(path))" }

    /// Whether a link at `path` points out of the tree, by its text alone.
    static func leaves(_ target: [UInt8], from path: [UInt8]) -> Bool {
        guard target.first != UInt8(ascii: "/") else { return true }
        var depth = path.utf8Depth - 1
        for part in target.split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual("..".utf8) {
                depth -= 1
            } else if !part.elementsEqual(".".utf8) {
                depth += 1
            }
            if depth < 0 { return true }
        }
        return false
    }

    private func warnings(_ result: Shared) -> [String] {
        var out: [String] = []
        if !result.special.isEmpty {
            out.append("Sockets, FIFOs and devices were left out of the artifact: \(some(result.special)).")
        }
        if !result.outside.isEmpty {
            out.append(
                "Links point out of the artifact, which does not hold what they mean: \(some(result.outside))."
            )
        }
        return out
    }

    private func some(_ paths: [String]) -> String {
        paths.sorted().prefix(5).joined(separator: ", ")
            + (paths.count > 5 ? " and \(paths.count - 5) more" : "")
    }
}

extension [UInt8] {
    /// How many parts a path has.
    fileprivate var utf8Depth: Int { isEmpty ? 0 : reduce(1) { $1 == UInt8(ascii: "/") ? $0 + 1 : $0 } }
}
