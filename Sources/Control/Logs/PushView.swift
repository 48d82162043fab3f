// SPDX-License-Identifier: Apache-2.0

/// What a push is shown of its release's log: the steps all, of what the commands print the beginning. A build that floods
/// its log would keep git, ssh and whoever pushes busy for nothing; the log has the rest.
struct PushView: Sendable {
    /// Bytes of the commands' output.
    static let limit = 1 << 20
    private static let newline = UInt8(ascii: "\n")
    /// What stands before every line that a command printed, see `LogLine.detail`.
    private static let indentation = Array("       ".utf8)

    private let note: [UInt8]
    private var shown = 0
    private var isOver = false

    /// - Parameter command: shows the whole log.
    init(command: String) {
        note = Array(" !     more output is not shown here: \(command)\n".utf8)
    }

    /// - Parameter lines: whole ones, without times.
    mutating func show(_ lines: [UInt8]) -> [UInt8] {
        shown += lines.count
        guard shown > PushView.limit else { return lines }
        var out: [UInt8] = []
        if !isOver { out += note }
        isOver = true
        var start = 0
        while let end = lines[start...].firstIndex(of: PushView.newline) {
            if !lines[start...end].starts(with: PushView.indentation) { out += lines[start...end] }
            start = end + 1
        }
        return out
    }
}
