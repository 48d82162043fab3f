// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Synchronization
internal import Wire

/// Says when a log changes, to any number of readers over one inotify(7) descriptor: the kernel gives a user only a
/// few of them. The directories are watched, so that logs may be rotated, removed, and begin later.
final class LogWatch: Sendable {
    private let core: Core
    private let source: ReadSource?
    /// Lines by number, of the logs that this tells of.
    let index = LogIndex()
    private let tails = Mutex<[LogTail.Key: LogTail]>([:])

    init() {
        let raw = kinto_inotify()
        let descriptor = raw >= 0 ? Descriptor(owning: raw) : nil
        let core = Core(descriptor)
        self.core = core
        source = descriptor.map { ReadSource($0) { core.readEvents() } }
    }

    deinit { source?.cancel() }

    /// A seat among those who follow the same log in the same form.
    /// - Returns: nil when its directory is not there or cannot be watched.
    func join(_ key: LogTail.Key) -> LogTail.Seat? {
        tails.withLock { tails in
            if let seat = tails[key]?.seat() { return seat }
            guard let changes = subscribe(to: key.path) else { return nil }
            let tail = LogTail(key)
            tails[key] = tail
            let seat = tail.seat()
            tail.begin(self, changes)
            return seat
        }
    }

    /// Nobody is given a seat there any more.
    func forget(_ tail: LogTail) {
        tails.withLock { if $0[tail.key] === tail { $0[tail.key] = nil } }
    }

    /// nil when the directory is not there or cannot be watched.
    func subscribe(to path: String) -> Changes? { core.subscribe(to: path) }

    /// The changes of one log, from the call of `subscribe` on.
    final class Changes: Sendable {
        fileprivate let stream: AsyncStream<Void>
        private let leave: @Sendable () -> Void

        fileprivate init(_ stream: AsyncStream<Void>, leave: @escaping @Sendable () -> Void) {
            self.stream = stream
            self.leave = leave
        }

        deinit { leave() }

        /// Returns at once if something changed since the last call. False: the directory is gone, or the task is
        /// cancelled.
        func next() async -> Bool {
            for await _ in stream { return true }
            return false
        }
    }

    private struct Subscriber {
        let name: [UInt8]
        /// The log's directory in the one above it: the log is over when it goes away. The directory itself does not
        /// say so as long as someone has a file open that was in it.
        var isDirectory = false
        let wake: AsyncStream<Void>.Continuation
    }

    private final class Core: Sendable {
        private struct State {
            /// By inotify's number of the directory.
            var directories: [Int32: [Int: Subscriber]] = [:]
            var next = 0
        }
        private let descriptor: Descriptor?
        private let state = Mutex(State())

        /// After telling of changes, in microseconds. Of a flood's writes in this time the kernel makes one event.
        private static let rest: UInt32 = 20_000

        init(_ descriptor: Descriptor?) { self.descriptor = descriptor }

        func subscribe(to path: String) -> Changes? {
            guard let descriptor else { return nil }
            let directory = Files.parent(of: path)
            let (stream, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            let name = Array(path.utf8.dropFirst(directory.utf8.count + 1))
            let mask =
                IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
            let above = Files.parent(of: directory)
            let directoryName = Array(directory.utf8.dropFirst(above == "/" ? 1 : above.utf8.count + 1))
            return state.withLock { state in
                guard let upper = Core.add(descriptor, above, IN_DELETE | IN_MOVED_FROM) else { return nil }
                guard let lower = Core.add(descriptor, directory, mask) else {
                    if state.directories[upper] == nil { inotify_rm_watch(descriptor.raw, upper) }
                    return nil
                }
                state.next += 1
                let identifier = state.next
                state.directories[upper, default: [:]][identifier] = Subscriber(
                    name: directoryName, isDirectory: true, wake: wake)
                // The root is above itself.
                if lower != upper {
                    state.directories[lower, default: [:]][identifier] = Subscriber(name: name, wake: wake)
                }
                return Changes(stream) { [self] in
                    leave(lower, identifier)
                    leave(upper, identifier)
                }
            }
        }

        /// Added to what the directory is watched for already.
        private static func add(_ descriptor: Descriptor, _ path: String, _ mask: Int32) -> Int32? {
            let watch = inotify_add_watch(
                descriptor.raw, path, UInt32(mask) | UInt32(IN_ONLYDIR) | UInt32(IN_MASK_ADD))
            return watch >= 0 ? watch : nil
        }

        private func leave(_ watch: Int32, _ identifier: Int) {
            state.withLock { state in
                guard state.directories[watch]?.removeValue(forKey: identifier) != nil,
                    state.directories[watch]?.isEmpty == true
                else { return }
                state.directories[watch] = nil
                if let descriptor { inotify_rm_watch(descriptor.raw, watch) }
            }
        }

        func readEvents() {
            guard let descriptor else { return }
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            var isAnything = false
            while true {
                let count = read(descriptor.raw, &buffer, buffer.count)
                guard count > 0 else { break }
                isAnything = true
                buffer.withUnsafeBytes { tell(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            }
            // The queue is this source's own.
            if isAnything { usleep(Core.rest) }
        }

        private func tell(_ events: UnsafeRawBufferPointer) {
            state.withLock { state in
                var at = 0
                while at + 16 <= events.count {
                    let watch = events.loadUnaligned(fromByteOffset: at, as: Int32.self)
                    let mask = events.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self)
                    let length = Int(events.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self))
                    guard at + 16 + length <= events.count else { break }
                    let name = events[(at + 16)..<(at + 16 + length)].prefix { $0 != 0 }
                    at += 16 + length
                    if mask & UInt32(IN_Q_OVERFLOW) != 0 {
                        for subscriber in state.directories.values.joined() { subscriber.value.wake.yield() }
                    } else if mask & UInt32(IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF) != 0 {
                        for subscriber in (state.directories.removeValue(forKey: watch) ?? [:]).values {
                            subscriber.wake.finish()
                        }
                    } else {
                        for subscriber in (state.directories[watch] ?? [:]).values
                        where name.elementsEqual(subscriber.name) {
                            if !subscriber.isDirectory {
                                subscriber.wake.yield()
                            } else if mask & UInt32(IN_DELETE | IN_MOVED_FROM) != 0 {
                                subscriber.wake.finish()
                            }
                        }
                    }
                }
            }
        }
    }
}
