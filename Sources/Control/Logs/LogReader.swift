// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization
internal import Wire

/// Where a reader is in a log of one or two files: `PATH`, and `PATH.1` when it was rotated.
final class LogReader: Sendable {
    private struct Place {
        var file: Descriptor?
        var offset = 0
        /// Kept open, so that the numbers of files that were left behind are not given to new ones.
        var passed: [Descriptor] = []
        var tail: Int?
        /// Not read beyond: what was there at the beginning. nil: it is followed.
        var end: (file: Identity, size: Int)?
    }
    /// The end of what was read.
    struct Mark: Hashable {
        let file: Identity
        let offset: Int
    }

    struct Identity: Hashable {
        let device: UInt
        let inode: UInt
    }

    private let path: String
    private let start: Mark?
    private let follows: Bool
    private let place: Mutex<Place>

    private static let chunk = 64 << 10
    private static let newline = UInt8(ascii: "\n")

    /// - Parameters:
    ///   - start: where it begins; nil, or in a file that is gone: at the beginning.
    ///   - follows: without, it ends with what is there at the first call, also if the log grows faster than it is read.
    init(path: String, tail: Int?, start: Mark? = nil, follows: Bool) {
        self.path = path
        self.start = start
        self.follows = follows
        place = Mutex(Place(tail: tail))
    }

    /// How many lines of a log were rotated away before the first that is there.
    static func linesBefore(_ path: String) -> Int {
        let first = [path + ".1", path].lazy.compactMap { try? Descriptor.open($0, O_RDONLY) }.first
        return first.flatMap { LogContinuation.before($0) } ?? 0
    }

    /// A line of kinto's own.
    static func note(_ text: String) -> [UInt8] {
        Timestamp.now.rfc3339Bytes + Array("  !     \(text)\n".utf8)
    }

    /// Finds its place in what is there, which ``next(upTo:)`` does else.
    func begin() { place.withLock { if $0.file == nil { begin(&$0) } } }

    /// nil before a file was found.
    var mark: Mark? {
        place.withLock { place in
            guard let file = place.file, let identity = LogReader.identity(file) else { return nil }
            return Mark(file: identity, offset: place.offset)
        }
    }

    /// Goes on behind what was had from elsewhere.
    /// - Parameter mark: in the file that is read.
    func pass(to mark: Mark) { place.withLock { $0.offset = mark.offset } }

    /// The whole lines that came since the last call, not more than fit into one chunk; nil when there are none.
    /// - Parameter limit: its file is not read beyond it.
    func next(upTo limit: Mark? = nil) -> [UInt8]? {
        place.withLock { place in
            if place.file == nil { begin(&place) }
            while true {
                if let chunk = take(&place, limit) { return chunk }
                guard let file = place.file, place.end?.file != LogReader.identity(file),
                    let now = LogReader.identity(path),
                    now != LogReader.identity(file)
                else { return nil }
                // It is not written to any more; but it was, until it was seen to be another one.
                if let chunk = take(&place, limit, isLast: true) { return chunk }
                guard let note = moveOn(&place) else { return nil }
                if !note.isEmpty { return note }
            }
        }
    }

    private func take(_ place: inout Place, _ limit: Mark?, isLast: Bool = false) -> [UInt8]? {
        guard let file = place.file else { return nil }
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { return nil }
        var most = min(LogReader.chunk, Int(status.st_size) - place.offset)
        let identity = Identity(device: status.st_dev, inode: status.st_ino)
        if let end = place.end, end.file == identity { most = min(most, end.size - place.offset) }
        if let limit, limit.file == identity { most = min(most, limit.offset - place.offset) }
        guard most > 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: most)
        let count = pread(file.raw, &buffer, most, place.offset)
        guard count > 0 else { return nil }
        var bytes = buffer[..<count]
        if let end = bytes.lastIndex(of: LogReader.newline) {
            bytes = bytes[...end]
            place.offset += bytes.count
        } else if count == LogReader.chunk || isLast {
            // No line of ours: what a power cut left, or a torn end.
            place.offset += count
            return Array(bytes) + [LogReader.newline]
        } else {
            return nil
        }
        if place.offset == bytes.count, let end = bytes.firstIndex(of: LogReader.newline),
            LogContinuation.lines(in: bytes[..<end]) != nil
        {
            bytes = bytes[(end + 1)...]
        }
        return bytes.isEmpty ? take(&place, limit, isLast: isLast) : Array(bytes)
    }

    private func begin(_ place: inout Place) {
        let current = try? Descriptor.open(path, O_RDONLY)
        let old = try? Descriptor.open(path + ".1", O_RDONLY)
        var files = [old, current].compactMap { $0 }
        // It was rotated between the two calls.
        if files.count == 2, LogReader.identity(files[0]) == LogReader.identity(files[1]) {
            files.removeLast()
        }
        var status = stat()
        if !follows, let last = files.last, let identity = LogReader.identity(last),
            fstat(last.raw, &status) == 0
        {
            place.end = (identity, Int(status.st_size))
        }
        if let tail = place.tail {
            place.tail = nil
            var left = tail
            for (index, file) in files.enumerated().reversed() {
                let (start, found) = LogReader.start(ofLast: left, file)
                left -= found
                if left <= 0 || index == 0 {
                    place.file = file
                    place.offset = start
                    place.passed = Array(files[..<index])
                    return
                }
            }
        }
        if let start, let index = files.firstIndex(where: { LogReader.identity($0) == start.file }) {
            place.file = files[index]
            place.offset = start.offset
            place.passed = Array(files[..<index])
            return
        }
        place.file = files.first
    }

    /// Goes on with the file after the one that was read to its end.
    /// - Returns: what to show of it, nothing or a mark; nil when there is no such file yet.
    private func moveOn(_ place: inout Place) -> [UInt8]? {
        guard let file = place.file else { return nil }
        let known = (place.passed + [file]).compactMap { LogReader.identity($0) }
        let old = try? Descriptor.open(path + ".1", O_RDONLY)
        let next: Descriptor
        if let old, let identity = LogReader.identity(old), !known.contains(identity) {
            next = old
        } else {
            guard let current = try? Descriptor.open(path, O_RDONLY) else { return nil }
            next = current
        }
        place.passed = [file]
        place.file = next
        place.offset = 0
        guard let before = LogContinuation.before(next), before > 0 else { return [] }
        let missed = before - LogContinuation.count(file)
        return missed > 0 ? LogReader.note("\(missed) lines left out: you read too slowly") : []
    }

    private static func identity(_ path: String) -> Identity? {
        var status = stat()
        return stat(path, &status) == 0 ? Identity(device: status.st_dev, inode: status.st_ino) : nil
    }

    static func identity(_ file: Descriptor) -> Identity? {
        var status = stat()
        return fstat(file.raw, &status) == 0 ? Identity(device: status.st_dev, inode: status.st_ino) : nil
    }

    /// Where the last lines begin, and how many there are, looked for from the end.
    private static func start(ofLast count: Int, _ file: Descriptor) -> (offset: Int, lines: Int) {
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { return (0, 0) }
        var end = Int(status.st_size)
        if count <= 0 { return (end, 0) }
        var buffer = [UInt8](repeating: 0, count: chunk)
        // The end of the last line does not begin another one.
        var found = -1
        while end > 0 {
            let from = max(0, end - chunk)
            let got = pread(file.raw, &buffer, end - from, from)
            guard got == end - from else { break }
            for index in (0..<got).reversed() where buffer[index] == newline {
                found += 1
                if found == count { return (from + index + 1, count) }
            }
            end = from
        }
        return (0, found + 1)
    }
}
