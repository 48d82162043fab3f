// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Synchronization
internal import Wire

/// Reads a log as it grows, driven by inotify(7): whole lines, from the beginning or the last few, until the log is
/// marked as over (`ReleaseLog.close`) or the reader stops.
struct LogFollower: Sendable {
    let path: String
    /// Without: what is there now.
    let follow: Bool
    /// Only the last so many lines of what is there.
    var tail: Int?

    /// Chunks of whole lines, each ending with a newline.
    func chunks() -> AsyncStream<[UInt8]> {
        AsyncStream { continuation in
            let reader = LogReader(path: path, tail: tail)
            guard follow, let watch = InotifyFile(path) else {
                if let chunk = reader.next() { continuation.yield(chunk) }
                continuation.finish()
                return
            }
            let source = ReadSource(watch.descriptor) {
                watch.consume()
                // The mark is looked for before reading, so that what came before it is not missed.
                let closed = ReleaseLog.isClosed(path)
                while let chunk = reader.next() { continuation.yield(chunk) }
                if closed { continuation.finish() }
            }
            continuation.onTermination = { _ in source.cancel() }
        }
    }
}

/// An inotify descriptor on one file, watched for growth and for the mark.
private final class InotifyFile: Sendable {
    let descriptor: Descriptor

    init?(_ path: String) {
        let raw = kinto_inotify()
        guard raw >= 0 else { return nil }
        descriptor = Descriptor(owning: raw)
        guard inotify_add_watch(raw, path, UInt32(IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF)) >= 0 else {
            return nil
        }
    }

    func consume() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while read(descriptor.raw, &buffer, buffer.count) > 0 {}
    }
}

/// Where a reader is in its file.
private final class LogReader: Sendable {
    private struct Place {
        var offset: Int64 = 0
        var tail: Int?
    }
    private let file: Descriptor?
    private let place: Mutex<Place>

    init(path: String, tail: Int?) {
        file = try? Descriptor.open(path, O_RDONLY)
        place = Mutex(Place(tail: tail))
    }

    /// The whole lines that came since the last call; nil when there are none.
    func next() -> [UInt8]? {
        guard let file else { return nil }
        return place.withLock { place in
            var buffer = [UInt8](repeating: 0, count: 256 << 10)
            var chunk: [UInt8] = []
            while true {
                let count = pread(file.raw, &buffer, buffer.count, off_t(place.offset) + off_t(chunk.count))
                guard count > 0 else { break }
                chunk.append(contentsOf: buffer[0..<count])
                // Reading on to the end is only needed for the last lines.
                if place.tail == nil, chunk.contains(UInt8(ascii: "\n")) { break }
            }
            guard let end = chunk.lastIndex(of: UInt8(ascii: "\n")) else { return nil }
            chunk.removeSubrange((end + 1)...)
            place.offset += Int64(chunk.count)
            if let tail = place.tail {
                place.tail = nil
                return LogReader.last(tail, of: chunk)
            }
            return chunk
        }
    }

    private static func last(_ count: Int, of chunk: [UInt8]) -> [UInt8] {
        var left = count + 1
        for index in chunk.indices.reversed() where chunk[index] == UInt8(ascii: "\n") {
            left -= 1
            if left == 0 { return Array(chunk[(index + 1)...]) }
        }
        return chunk
    }
}
