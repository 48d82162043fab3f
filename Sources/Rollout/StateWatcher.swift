// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Synchronization
public import Wire

/// Follows a supervisor: its state file through inotify(7), its life through a pidfd. Nothing is polled.
public struct StateWatcher: Sendable {
    /// What is seen.
    public enum Observation: Sendable, Equatable {
        case state(SupervisorState)
        /// The supervisor is gone and its last state is not `ended`. Final.
        case lost
    }

    /// Each change, beginning with what is there now; finishes with `ended` or `lost`.
    public static func follow(_ path: String, supervisor: ProcessIdentity) -> AsyncStream<Observation> {
        AsyncStream { continuation in
            let last = Last()
            let life = supervisor.open()
            let isGone = life == nil && !supervisor.isRunning

            @Sendable func look(gone: Bool) {
                last.once {
                    if let state = try? SupervisorState.read(path), state.supervisor == supervisor,
                        $0 != state
                    {
                        $0 = state
                        continuation.yield(.state(state))
                        if state.phase == .ended { return continuation.finish() }
                    }
                    if gone {
                        continuation.yield(.lost)
                        continuation.finish()
                    }
                }
            }
            // Without it, a machine short of watches, the end is still seen.
            let changes = DirectoryWatch.shared?.subscribe(Files.parent(of: path)) { _ in
                look(gone: isGone)
            }
            let ends = End()
            @Sendable func watch(_ life: Descriptor) {
                ends.set(
                    ReadSource(life) {
                        var poller = pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0)
                        if poll(&poller, 1, 0) > 0 { look(gone: true) }
                    })
            }
            if let life {
                watch(life)
            } else if !isGone {
                Task {
                    if let life = await supervisor.life(until: { ends.isCancelled }) {
                        watch(life)
                    } else if !ends.isCancelled {
                        look(gone: true)
                    }
                }
            }
            // What happened before the watch began.
            look(gone: isGone)
            continuation.onTermination = { _ in
                withExtendedLifetime(changes) {}
                ends.cancel()
            }
        }
    }
}

extension ProcessIdentity {
    /// A pidfd as `open` gives it; waits where there is no descriptor for it now.
    /// - Returns: nil when the process is gone, or `isOver` said so.
    func life(until isOver: @Sendable () -> Bool = { false }) async -> Descriptor? {
        while !isOver() {
            if let life = open() { return life }
            guard isRunning else { return nil }
            // Also in a task that was cancelled: what is waited for has to be ended all the same.
            _ = try? await Task.detached { try await Task.sleep(for: .milliseconds(250)) }.value
        }
        return nil
    }
}

/// What tells of a process's end, which may begin late.
private final class End: Sendable {
    private let state = Mutex<(source: ReadSource?, isCancelled: Bool)>((nil, false))

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func set(_ source: ReadSource) {
        let isCancelled = state.withLock { state in
            if !state.isCancelled { state.source = source }
            return state.isCancelled
        }
        if isCancelled { source.cancel() }
    }

    func cancel() {
        let source = state.withLock { state in
            state.isCancelled = true
            return state.source.take()
        }
        source?.cancel()
    }
}

private final class Last: Sendable {
    private let state = Mutex<SupervisorState?>(nil)

    func once(_ body: (inout SupervisorState?) -> Void) { state.withLock { body(&$0) } }
}
