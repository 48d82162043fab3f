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
            let raw = kinto_inotify()
            guard raw >= 0 else {
                continuation.yield(.lost)
                continuation.finish()
                return
            }
            let watch = Descriptor(owning: raw)
            inotify_add_watch(raw, Files.parent(of: path), UInt32(IN_MOVED_TO))
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
            let changes = ReadSource(watch) {
                var buffer = [UInt8](repeating: 0, count: 4096)
                while read(raw, &buffer, buffer.count) > 0 {}
                look(gone: life == nil)
            }
            let ends = life.map { descriptor in
                ReadSource(descriptor) {
                    var poller = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
                    if poll(&poller, 1, 0) > 0 { look(gone: true) }
                }
            }
            continuation.onTermination = { _ in
                changes.cancel()
                ends?.cancel()
            }
        }
    }
}

private final class Last: Sendable {
    private let state = Mutex<SupervisorState?>(nil)

    func once(_ body: (inout SupervisorState?) -> Void) { state.withLock { body(&$0) } }
}
