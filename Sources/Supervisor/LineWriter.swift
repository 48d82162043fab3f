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
    private var lost = 0
    private var leftOut = 0
    private var ring: [[UInt8]] = []
    private var ringBytes = 0

    private static let ringLimit = 64 << 10

    init(_ spec: SupervisorSpec) {
        path = spec.logPath
        prefix = spec.logStyle == .detail ? Array("       ".utf8) : []
        limit = max(64 << 10, spec.logLimit)
        rotates = spec.mode == .service
        open()
    }

    private mutating func open() {
        file = try? Descriptor.open(path, O_WRONLY | O_APPEND | O_CREAT, mode: 0o600)
        guard let file else { return }
        var status = stat()
        written = fstat(file.raw, &status) == 0 && rotates ? Int(status.st_size) : 0
    }

    /// Lines without their ends, already clean.
    mutating func write(_ lines: [[UInt8]]) {
        let time = Timestamp.now.rfc3339Bytes
        var batch: [UInt8] = []
        for line in lines {
            let entry = time + [UInt8(ascii: " ")] + prefix + line + [UInt8(ascii: "\n")]
            if !rotates, written + batch.count + entry.count > limit {
                keep(entry)
            } else {
                batch += entry
            }
        }
        put(batch)
    }

    /// A line of kinto's own.
    mutating func note(_ text: String) {
        put(Timestamp.now.rfc3339Bytes + Array("  !     \(text)\n".utf8))
    }

    /// A job's end: what was kept of the output over the limit.
    mutating func finish() {
        if leftOut > 0 { note("output over \(limit >> 20) MiB: \(leftOut) lines left out here") }
        for entry in ring { put(entry) }
        ring = []
    }

    private mutating func keep(_ entry: [UInt8]) {
        ring.append(entry)
        ringBytes += entry.count
        while ringBytes > LineWriter.ringLimit, ring.count > 1 {
            ringBytes -= ring.removeFirst().count
            leftOut += 1
        }
    }

    private mutating func put(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        if file == nil { open() }
        if rotates, written + bytes.count > limit, written > 0 {
            rename(path, path + ".1")
            open()
        }
        guard let file else {
            lost += 1
            return
        }
        do {
            if lost > 0 {
                let marker = "\(Timestamp.now.rfc3339)  !     \(lost) writes to this log failed before here\n"
                try file.writeAll(Array(marker.utf8))
                lost = 0
            }
            try file.writeAll(bytes)
            written += bytes.count
        } catch { lost += 1 }
    }
}
