// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// The log of one release: a file of lines `TIME text`, appended to by the control process and by the supervisors of
/// its jobs, each line in one write. A log that is over is made read-only: whoever follows it sees that in the file
/// itself, whatever process wrote the end.
public struct ReleaseLog: Sendable {
    public let path: String

    public init(path: String) { self.path = path }

    /// Appends one line. A log that cannot be written does not stop a deploy: the store has the outcome.
    public func append(_ line: LogLine) {
        var text = line.text
        if text.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            text = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        }
        guard let file = try? Descriptor.open(path, O_WRONLY | O_APPEND | O_CREAT) else { return }
        try? file.writeAll(
            Timestamp.now.rfc3339Bytes + [UInt8(ascii: " ")] + Array(text.utf8) + [UInt8(ascii: "\n")])
    }

    /// Marks the end.
    public func close() { chmod(path, 0o400) }

    /// Takes the mark away again: an interrupted release that is taken up.
    public func reopen() { chmod(path, 0o600) }

    /// Whether the file at `path` is marked as over.
    public static func isClosed(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IWUSR == 0
    }
}
