// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Synchronization
internal import Wire

/// Finds lines of logs by their numbers, which are those of the log as it was written: they stay when the older of its two files is
/// rotated away. A log is read through once; how many lines each MiB has is kept for the logs that were asked for last, and of one
/// that grew only the rest is read. Calls block on the disk.
final class LogIndex: Sendable {
    /// A file of a log, as far as it has whole lines.
    struct Part {
        let file: Descriptor
        let identity: LogReader.Identity
        /// Lines that came before it.
        let before: Int
        let lines: Int
        /// Newlines before the first line: that of the line that says where it goes on.
        let heads: Int
        let size: Int
        let counts: Counts

        func holds(_ number: Int) -> Bool { number > before && number <= before + lines }
    }

    /// Newlines of a file up to its last one.
    struct Counts {
        /// The file's first bytes, which hold a time: another file under the same number is another one.
        let head: [UInt8]
        /// Newlines before each block.
        var blocks: [Int] = []
        var total = 0
        /// Read up to here: behind a newline.
        var size = 0
    }

    static let block = 1 << 20
    private static let most = 256
    private static let newline = Int32(UInt8(ascii: "\n"))

    private let known = Mutex<[LogReader.Identity: (counts: Counts, used: UInt64)]>([:])
    private let clock = Atomic<UInt64>(0)

    /// The files of a log, the older one first. Empty when there is none.
    func parts(_ path: String) -> [Part] {
        var files = [path + ".1", path].compactMap { try? Descriptor.open($0, O_RDONLY) }
        // It was rotated between the two calls.
        if files.count == 2, LogReader.identity(files[0]) == LogReader.identity(files[1]) {
            files.removeLast()
        }
        var parts: [Part] = []
        for file in files {
            guard let identity = LogReader.identity(file), let counts = counts(file, identity) else {
                continue
            }
            let said = LogContinuation.before(file)
            let before = said ?? parts.last.map { $0.before + $0.lines } ?? 0
            parts.append(
                Part(
                    file: file, identity: identity, before: before,
                    lines: counts.total - (said == nil ? 0 : 1), heads: said == nil ? 0 : 1,
                    size: counts.size, counts: counts))
        }
        return parts
    }

    /// Where a line begins, or where the next one will.
    func offset(of number: Int, in part: Part) -> Int {
        var left = number - part.before - 1 + part.heads
        guard left > 0 else { return 0 }
        guard left < part.counts.total, !part.counts.blocks.isEmpty else { return part.size }
        // In the last block with fewer before it the line before this one ends.
        let block = max(0, (part.counts.blocks.firstIndex { $0 >= left } ?? part.counts.blocks.count) - 1)
        left -= part.counts.blocks[block]
        var offset = block * LogIndex.block
        let bytes = LogIndex.read(part.file, at: offset, LogIndex.block)
        bytes.withUnsafeBytes { bytes in
            var at = 0
            while left > 0, let found = LogIndex.newline(in: bytes, from: at) {
                at = found + 1
                left -= 1
            }
            offset += at
        }
        return offset
    }

    /// Where those go on who have had the lines up to a number.
    /// - Returns: nil when they are gone, or were never there.
    func mark(_ path: String, after number: Int) -> LogReader.Mark? {
        let parts = parts(path)
        guard
            let part = parts.first(where: { $0.holds(number + 1) })
                ?? parts.last.flatMap({ $0.before + $0.lines == number ? $0 : nil })
        else { return nil }
        return LogReader.Mark(file: part.identity, offset: offset(of: number + 1, in: part))
    }

    // MARK: Counting

    private func counts(_ file: Descriptor, _ identity: LogReader.Identity) -> Counts? {
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { return nil }
        let head = LogIndex.read(file, at: 0, 32)
        let earlier = known.withLock { $0[identity]?.counts }
        var counts = Counts(head: head)
        if let earlier, earlier.head == head, earlier.size <= Int(status.st_size) { counts = earlier }
        LogIndex.count(&counts, file, to: Int(status.st_size))
        // What is short may have another beginning as it grows.
        guard head.count == 32 else { return counts }
        let now = clock.wrappingAdd(1, ordering: .relaxed).newValue
        known.withLock { known in
            known[identity] = (counts, now)
            if known.count > LogIndex.most, let oldest = known.min(by: { $0.value.used < $1.value.used }) {
                known[oldest.key] = nil
            }
        }
        return counts
    }

    private static func count(_ counts: inout Counts, _ file: Descriptor, to size: Int) {
        // From the beginning of the block that was not read to its end.
        var total =
            counts.size / block < counts.blocks.count ? counts.blocks[counts.size / block] : counts.total
        var last = counts.size
        for index in (counts.size / block)..<max(counts.size / block + 1, (size + block - 1) / block) {
            if index < counts.blocks.count {
                counts.blocks[index] = total
            } else {
                counts.blocks.append(total)
            }
            let bytes = read(file, at: index * block, min(block, size - index * block))
            guard !bytes.isEmpty else { break }
            bytes.withUnsafeBytes { bytes in
                var at = 0
                while let found = newline(in: bytes, from: at) {
                    total += 1
                    at = found + 1
                }
                if at > 0 { last = index * block + at }
            }
        }
        (counts.total, counts.size) = (total, last)
    }

    // MARK: Bytes

    /// - Returns: less at the end of the file.
    static func read(_ file: Descriptor, at offset: Int, _ count: Int) -> [UInt8] {
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    file.raw, buffer.baseAddress.map { $0 + filled }, count - filled, offset + filled)
                guard got > 0 else { return }
                filled += got
            }
        }
    }

    static func newline(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard start < bytes.count, let base = bytes.baseAddress,
            let found = memchr(base + start, newline, bytes.count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }
}
