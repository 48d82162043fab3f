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
                look(gone: life == nil)
            }
            let ends = life.map { descriptor in
                ReadSource(descriptor) {
                    var poller = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
                    if poll(&poller, 1, 0) > 0 { look(gone: true) }
                }
            }
            // What happened before the watch began.
            look(gone: life == nil)
            continuation.onTermination = { _ in
                withExtendedLifetime(changes) {}
                ends?.cancel()
            }
        }
    }
}

private final class Last: Sendable {
    private let state = Mutex<SupervisorState?>(nil)

    func once(_ body: (inout SupervisorState?) -> Void) { state.withLock { body(&$0) } }
}
