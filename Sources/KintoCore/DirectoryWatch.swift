// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization
internal import Wire

/// Tells of what is moved into directories, over one inotify(7) descriptor for the whole process: the kernel gives a user
/// only a few of them (`fs.inotify.max_user_instances`, 128 as a rule), and every instance and every deploy is watched.
/// May be used from any task.
public final class DirectoryWatch: Sendable {
    /// The process's. nil when the kernel has none to give.
    public static let shared = DirectoryWatch()

    /// Ends with the last reference.
    public final class Subscription: Sendable {
        private let leave: @Sendable () -> Void
        fileprivate init(_ leave: @escaping @Sendable () -> Void) { self.leave = leave }
        deinit { leave() }
    }

    private typealias Body = @Sendable (_ isGone: Bool) -> Void
    private struct State {
        /// By inotify's number of the directory.
        var bodies: [Int32: [Int: Body]] = [:]
        var next = 0
    }

    private let descriptor: Descriptor
    private let state = Mutex(State())

    private init?() {
        let raw = kinto_inotify()
        guard raw >= 0 else { return nil }
        descriptor = Descriptor(owning: raw)
        // A thread of its own: what is told must not wait for a pool that may be full.
        let source = ReadSource(descriptor) { [unowned self] in readEvents() }
        reading.withLock { $0 = source }
    }

    private let reading = Mutex<ReadSource?>(nil)

    /// - Parameter body: is called after something was moved into the directory; with true, and for the last time, when it
    ///   was removed or moved itself. On a queue of its own, one call at a time: it must not wait for anything.
    /// - Returns: nil when the directory is not there or cannot be watched.
    public func subscribe(_ directory: String, _ body: @escaping @Sendable (_ isGone: Bool) -> Void)
        -> Subscription?
    {
        state.withLock { state in
            let mask = IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
            let watch = inotify_add_watch(descriptor.raw, directory, UInt32(mask))
            guard watch >= 0 else { return nil }
            state.next += 1
            let identifier = state.next
            state.bodies[watch, default: [:]][identifier] = body
            return Subscription { [weak self] in self?.leave(watch, identifier) }
        }
    }

    private func leave(_ watch: Int32, _ identifier: Int) {
        state.withLock { state in
            guard state.bodies[watch]?.removeValue(forKey: identifier) != nil,
                state.bodies[watch]?.isEmpty == true
            else { return }
            state.bodies[watch] = nil
            inotify_rm_watch(descriptor.raw, watch)
        }
    }

    private func readEvents() {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor.raw, &buffer, buffer.count)
            guard count > 0 else { return }
            var changed: Set<Int32> = []
            var gone: Set<Int32> = []
            buffer.withUnsafeBytes { bytes in
                var at = 0
                // Watch, mask, cookie, length of the name that follows.
                while at + 16 <= count {
                    let watch = bytes.loadUnaligned(fromByteOffset: at, as: Int32.self)
                    let mask = bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self)
                    let length = bytes.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self)
                    at += 16 + Int(length)
                    if mask & UInt32(IN_Q_OVERFLOW) != 0 {
                        changed.formUnion(state.withLock { $0.bodies.keys })
                    } else if mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED) != 0 {
                        gone.insert(watch)
                    } else {
                        changed.insert(watch)
                    }
                }
            }
            tell(changed.subtracting(gone), false)
            tell(gone, true)
        }
    }

    private func tell(_ watches: Set<Int32>, _ isGone: Bool) {
        let bodies = state.withLock { state in
            watches.flatMap { watch -> [Body] in
                let bodies = state.bodies[watch] ?? [:]
                if isGone { state.bodies[watch] = nil }
                return Array(bodies.values)
            }
        }
        for body in bodies { body(isGone) }
    }
}
