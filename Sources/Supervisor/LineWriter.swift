// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Writes output to a log file: whole lines with the time, one write(2) each batch, never more than the limit. A log
/// that cannot be written is told when it can be again; the command is not held up by it.
struct LineWriter {
    private let path: String
    private let prefix: [UInt8]
    private let limit: Int
    private let rotates: Bool
    private var file: Descriptor?
    private var written = 0
    /// Lines of this log, in the file and before it.
    private var lines = 0
    /// Whether the last bytes in the file are not a whole line: a write failed half-way.
    private var torn = false
    private var lost = 0
    private var leftOut = 0
    /// A job's latest lines over the limit.
    private var tail: [UInt8] = []

    /// Longer batches are written in parts, in bytes.
    private static let batchLimit = 128 << 10
    private static let tailLimit = 64 << 10
    private static let newline = UInt8(ascii: "\n")

    init(_ spec: SupervisorSpec) {
        path = spec.logPath
        prefix = [UInt8(ascii: " ")] + (spec.logStyle == .detail ? Array("       ".utf8) : [])
        limit = min(max(64 << 10, spec.logLimit), 1 << 40)
        rotates = spec.mode == .service
        open()
    }

    private mutating func open() {
        // Readable, too: to see how it ends.
        let flags = O_RDWR | O_APPEND | O_CREAT
        file = try? Descriptor.open(path, flags, mode: 0o600)
        if file == nil, !Files.exists(Files.parent(of: path)) {
            // Someone removed the directory.
            try? Files.makeDirectories(Files.parent(of: path))
            file = try? Descriptor.open(path, flags, mode: 0o600)
        }
        // What is not a file (a pipe, a full device) can only be written to.
        if file == nil { file = try? Descriptor.open(path, O_WRONLY | O_APPEND) }
        guard let file else { return }
        var status = stat()
        guard fstat(file.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
        var last: [UInt8] = [LineWriter.newline]
        if status.st_size > 0 { pread(file.raw, &last, 1, status.st_size - 1) }
        torn = last != [LineWriter.newline]
        guard rotates else { return }
        written = Int(status.st_size)
        if lines == 0, written > 0 { lines = LogContinuation.count(file) }
    }

    /// Lines that are clean already.
    mutating func write(_ lines: Lines) {
        guard !lines.isEmpty else { return }
        let head = Timestamp.now.rfc3339Bytes + prefix
        var batch: [UInt8] = []
        var start = 0
        for end in lines.ends {
            let line = lines.bytes[start..<end]
            start = end
            let full = written + batch.count + head.count + line.count + 1 > limit
            if !rotates, full || !tail.isEmpty {
                LineWriter.add(head, line, to: &tail)
                // Not at every line: what is removed at the beginning moves all the rest.
                if tail.count > 2 * LineWriter.tailLimit { trim() }
                continue
            }
            if full || batch.count >= LineWriter.batchLimit {
                put(batch)
                batch.removeAll(keepingCapacity: true)
            }
            if full { rotate() }
            LineWriter.add(head, line, to: &batch)
        }
        put(batch)
    }

    private static func add(_ head: [UInt8], _ line: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        bytes += head
        bytes += line
        bytes.append(newline)
    }

    /// A line of kinto's own.
    mutating func note(_ text: String) {
        put(Timestamp.now.rfc3339Bytes + Array("  !     \(text)\n".utf8))
    }

    /// A job's end: what was kept of the output over the limit.
    mutating func finish() {
        trim()
        if leftOut > 0 {
            let size = limit < 1 << 20 ? "\(limit >> 10) KiB" : "\(limit >> 20) MiB"
            note("output over \(size): \(leftOut) lines left out here")
        }
        put(tail)
        tail = []
    }

    /// Whole lines, of which each is shorter than the limit.
    private mutating func trim() {
        guard tail.count > LineWriter.tailLimit,
            let cut = tail[(tail.count - LineWriter.tailLimit - 1)...].firstIndex(of: LineWriter.newline)
        else { return }
        for byte in tail[...cut] where byte == LineWriter.newline { leftOut += 1 }
        tail.removeSubrange(...cut)
    }

    private mutating func rotate() {
        guard written > 0, let file, LineWriter.status(file)?.regular == true else { return }
        // Where it cannot be renamed it grows on: losing lines would be worse.
        guard rename(path, path + ".1") == 0 else {
            written = 0
            return
        }
        open()
        let header = Timestamp.now.rfc3339Bytes + Array(" \(LogContinuation.text(after: lines))\n".utf8)
        if append(header) { lines -= 1 }
    }

    private mutating func put(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        // A file that was removed is not written to where nobody can read it.
        if let open = file, LineWriter.status(open)?.linked == false { file = nil }
        if file == nil { open() }
        if lost > 0 {
            let words = "  !     \(lost) writes to this log failed before here\n"
            guard append(Timestamp.now.rfc3339Bytes + Array(words.utf8)) else {
                lost += 1
                return
            }
            lost = 0
        }
        if !append(bytes) { lost += 1 }
    }

    private mutating func append(_ text: [UInt8]) -> Bool {
        guard let file else { return false }
        let bytes = torn ? [LineWriter.newline] + text : text
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(file.raw, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            done += count
        }
        written += done
        if done > 0 {
            torn = bytes[done - 1] != LineWriter.newline
            if rotates { for byte in bytes[..<done] where byte == LineWriter.newline { lines += 1 } }
        }
        return done == bytes.count
    }

    private static func status(_ file: Descriptor) -> (regular: Bool, linked: Bool)? {
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { return nil }
        return (status.st_mode & S_IFMT == S_IFREG, status.st_nlink > 0)
    }
}
