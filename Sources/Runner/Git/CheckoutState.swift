// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Synchronization
internal import Wire

/// A repository that is checked out, or a part of the checkout: a submodule.
struct CheckoutSource: Sendable, Hashable {
    let repository: String
    let trust: GitRepository.Trust
}

/// Files of one directory to be written. Holding the directory open keeps its path from mattering.
struct CheckoutBatch: Sendable {
    struct File: Sendable {
        let name: [CChar]
        let kind: TreeEntry.Kind
        let id: ObjectID
    }

    let directory: Descriptor
    /// Whose objects they are.
    let source: CheckoutSource
    /// For messages: the path from the destination, ended by a slash unless empty.
    let prefix: String
    var files: [File]
}

/// What the threads of one checkout share: limits, counts, and the first failure, which stops them all.
final class CheckoutState: Sendable {
    let destination: String
    let limits: TreeExtractor.Limits
    private let cancellation: Cancellation
    private let stopped = Atomic<Bool>(false)
    private let entries = Atomic<Int>(0)
    private let files = Atomic<Int>(0)
    private let bytes = Atomic<Int>(0)
    private let shared = Mutex(Shared())

    private struct Shared: Sendable {
        var failure: (any Error)?
        var notices = CheckoutNotices()
    }

    init(destination: String, limits: TreeExtractor.Limits, cancellation: Cancellation) {
        self.destination = destination
        self.limits = limits
        self.cancellation = cancellation
    }

    var hasFailed: Bool { stopped.load(ordering: .acquiring) }

    /// Runs a thread's work and keeps its failure when it is the first.
    func run(_ body: () throws -> Void) {
        do { try body() } catch is Stopped {} catch {
            shared.withLock { if $0.failure == nil { $0.failure = error } }
            stopped.store(true, ordering: .releasing)
        }
    }

    /// - Throws: the first failure of any thread.
    func rethrow() throws { if let failure = shared.withLock({ $0.failure }) { throw failure } }

    /// To be called between entries.
    func check() throws {
        if hasFailed { throw Stopped() }
        try cancellation.check()
    }

    func countEntries(_ count: Int) throws(Failure) {
        guard entries.add(count, ordering: .relaxed).newValue <= limits.entries else {
            throw Failure(
                code: "tree-too-large", "The commit has more than \(limits.entries) files and directories.")
        }
    }

    /// One file or link was written.
    func countFile() { files.add(1, ordering: .relaxed) }

    /// Reserves room before a file is read or written.
    func countBytes(_ size: Int) throws(Failure) {
        let (total, overflow) = bytes.load(ordering: .relaxed).addingReportingOverflow(size)
        guard !overflow, total <= limits.bytes, bytes.add(size, ordering: .relaxed).newValue <= limits.bytes
        else {
            throw Failure(
                code: "tree-too-large", "The commit's files are larger than \(limits.bytes) bytes together.")
        }
    }

    func note(_ notices: CheckoutNotices) { shared.withLock { $0.notices.merge(notices) } }

    var result: TreeExtractor.Result {
        TreeExtractor.Result(
            files: files.load(ordering: .acquiring), bytes: bytes.load(ordering: .acquiring),
            warnings: shared.withLock { $0.notices.warnings })
    }

    /// Another thread failed; its failure is the one to tell.
    private struct Stopped: Error {}
}
