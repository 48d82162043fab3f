// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Synchronization
internal import Wire

/// Runs blocking git and file work on threads of its own, in the order it comes, so that it never holds a
/// thread of the cooperative pool (which has one per core). May be called from anywhere, concurrently.
public final class GitExecutor: Sendable {
    private let queue = BlockingQueue<@Sendable () -> Void>()

    /// - Parameter threads: how many pieces of work run at the same time, at least one.
    /// - Throws: `Failure` of code `git-failed` when libgit2 or a thread cannot be started.
    public init(threads: Int = 2) throws {
        try LibGit2.start()
        let queue = queue
        for _ in 0..<max(1, threads) {
            do {
                _ = try WorkerThread.start(detached: true) { while let work = queue.pop() { work() } }
            } catch {
                queue.close()
                throw Failure(code: "git-failed", "No thread could be started for git work: \(error.reason).")
            }
        }
    }

    deinit { queue.close() }

    /// Runs `body` on one of the threads and gives its result. The body is not interrupted when the task is
    /// cancelled; give it a `Cancellation` when it takes long.
    /// - Throws: what `body` throws; `CancellationError` when the task was cancelled before it began.
    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await run { (_: Cancellation) in try body() }
    }

    /// The same, with a flag that is raised when the calling task is cancelled.
    public func run<T: Sendable>(_ body: @escaping @Sendable (Cancellation) throws -> T) async throws -> T {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let work: @Sendable () -> Void = {
                    continuation.resume(
                        with: Result {
                            try cancellation.check()
                            return try body(cancellation)
                        })
                }
                queue.push(work)
            }
        } onCancel: {
            cancellation.cancel()
        }
    }
}

/// A flag that says "stop at the next opportunity", shared between threads.
public final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    /// A flag that is down.
    public init() {}

    /// Raises the flag; it stays up.
    public func cancel() { flag.store(true, ordering: .releasing) }

    /// Whether it was raised.
    public var isCancelled: Bool { flag.load(ordering: .acquiring) }

    /// - Throws: `CancellationError` once the flag is up.
    public func check() throws { if isCancelled { throw CancellationError() } }
}
