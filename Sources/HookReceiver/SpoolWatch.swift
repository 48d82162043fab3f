// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Wire

extension Spool {
    /// Yields whenever an entry may have come, beginning at once; driven by inotify(7). A spool directory that is removed is
    /// made again. Finishes when it cannot be watched any more.
    public func changes() -> AsyncStream<Void> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let raw = kinto_inotify()
            guard raw >= 0 else { return continuation.finish() }
            let watch = Descriptor(owning: raw)
            let directory = directory
            @Sendable func begin() -> Bool {
                try? Files.makeDirectories(directory)
                return inotify_add_watch(
                    watch.raw, directory, UInt32(IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)) >= 0
            }
            guard begin() else { return continuation.finish() }
            let source = ReadSource(watch) {
                var buffer = [UInt8](repeating: 0, count: 16 << 10)
                var lost = false
                while true {
                    let count = read(watch.raw, &buffer, buffer.count)
                    guard count > 0 else { break }
                    lost = lost || Spool.isLost(buffer[..<count])
                }
                if lost, !begin() { continuation.finish() }
                continuation.yield()
            }
            continuation.onTermination = { _ in source.cancel() }
        }
    }

    /// Whether the events say that the directory is gone from its place. Each has 16 bytes: watch, mask, cookie and the
    /// length of the name that follows.
    private static func isLost(_ bytes: ArraySlice<UInt8>) -> Bool {
        func word(_ at: Int) -> UInt32 {
            bytes[at..<(at + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        var at = bytes.startIndex
        while bytes.endIndex - at >= 16 {
            let mask = word(at + 4)
            if mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED) != 0 { return true }
            at += 16 + Int(word(at + 12))
        }
        return false
    }
}
