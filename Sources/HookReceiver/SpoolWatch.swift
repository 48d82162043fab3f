// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Synchronization
internal import Wire

extension Spool {
    /// Yields whenever an entry may have come, beginning at once. A spool directory that is removed is made again. Finishes
    /// when it cannot be watched any more.
    public func changes() -> AsyncStream<Void> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let watch = SpoolWatch(directory, continuation)
            watch.begin()
            continuation.onTermination = { _ in watch.end() }
        }
    }
}

/// The subscription to a directory that may come and go.
private final class SpoolWatch: Sendable {
    private struct State {
        var subscription: DirectoryWatch.Subscription?
        var isOver = false
    }
    private let directory: String
    private let continuation: AsyncStream<Void>.Continuation
    private let state = Mutex(State())

    init(_ directory: String, _ continuation: AsyncStream<Void>.Continuation) {
        self.directory = directory
        self.continuation = continuation
    }

    func begin() {
        try? Files.makeDirectories(directory)
        let subscription = DirectoryWatch.shared?.subscribe(directory) { [weak self] isGone in
            if isGone { self?.begin() } else { self?.continuation.yield() }
        }
        guard let subscription else { return continuation.finish() }
        // The old one goes outside of the lock.
        let old = state.withLock { state in
            let old = state.subscription
            state.subscription = state.isOver ? nil : subscription
            return old
        }
        withExtendedLifetime(old) {}
        continuation.yield()
    }

    func end() {
        let old = state.withLock { state in
            state.isOver = true
            defer { state.subscription = nil }
            return state.subscription
        }
        withExtendedLifetime(old) {}
    }
}
