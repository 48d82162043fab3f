// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// The log of one release: a file of lines `TIME text`, appended to by the control process and by the supervisors of
/// its jobs, each line in one write. A log that is over is made read-only: whoever follows it sees that in the file
/// itself, whatever process wrote the end.
public struct ReleaseLog: Sendable {
    public let path: String

    public init(path: String) { self.path = path }

    /// Appends one line: of what a repository or a remote host put into it only the characters are left, and no
    /// password of a URL. A log that cannot be written does not stop a deploy: the store has the outcome.
    public func append(_ line: LogLine) {
        let text = Credentials.redacted(TerminalFilter.plain(line.text))
        guard let file = open() else { return }
        // Of a line that a power cut tore, only the line itself is lost.
        let start: [UInt8] = ReleaseLog.endsInLine(file) ? [] : [UInt8(ascii: "\n")]
        try? file.writeAll(
            start + Timestamp.now.rfc3339Bytes + [UInt8(ascii: " ")] + Array(text.utf8)
                + [UInt8(ascii: "\n")])
    }

    private func open() -> Descriptor? {
        let flags = O_RDWR | O_APPEND | O_CREAT
        if let file = try? Descriptor.open(path, flags) { return file }
        let directory = Files.parent(of: path)
        guard !Files.exists(directory) else { return nil }
        // Someone removed it.
        try? Files.makeDirectories(directory)
        return try? Descriptor.open(path, flags)
    }

    private static func endsInLine(_ file: Descriptor) -> Bool {
        var status = stat()
        guard fstat(file.raw, &status) == 0, status.st_size > 0 else { return true }
        var last: [UInt8] = [0]
        return pread(file.raw, &last, 1, status.st_size - 1) != 1 || last[0] == UInt8(ascii: "\n")
    }

    /// Marks the end. What the disk does not take now is tried again, at most ten minutes: someone may wait for it.
    public func close() {
        if mark() { return }
        // One that was removed is made for it.
        if errno == ENOENT, open() != nil, mark() { return }
        Task.detached {
            for _ in 0..<1200 {
                try await Task.sleep(for: .milliseconds(500))
                if mark() || errno == ENOENT { return }
            }
        }
    }

    private func mark() -> Bool { chmod(path, 0o400) == 0 }

    /// Takes the mark away again: an interrupted release that is taken up.
    public func reopen() { chmod(path, 0o600) }

    /// Whether the file at `path` is marked as over.
    public static func isClosed(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IWUSR == 0
    }
}
