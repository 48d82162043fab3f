// SPDX-License-Identifier: Apache-2.0

/// What a push is shown of its release's log: the steps all, of what the commands print the beginning. A build that floods
/// its log would keep git, ssh and whoever pushes busy for nothing; the log has the rest.
struct PushView: Sendable {
    /// Of what is shown with the commands' output: whichever comes first. Git handles line by line, so that short ones cost as
    /// much of the processor as long ones.
    static let limit = (bytes: 1 << 20, lines: 10_000)
    private static let newline = UInt8(ascii: "\n")
    /// What stands before every line that a command printed, see `LogLine.detail`.
    private static let indentation = Array("       ".utf8)

    private let note: [UInt8]
    private var shown = (bytes: 0, lines: 0)
    private var isOver = false

    /// - Parameter command: shows the whole log.
    init(command: String) {
        note = Array(" !     more output is not shown here: \(command)\n".utf8)
    }

    /// - Parameter lines: whole ones, without times.
    mutating func show(_ lines: [UInt8]) -> [UInt8] {
        if isOver { return PushView.steps(lines) }
        shown.bytes += lines.count
        for byte in lines where byte == PushView.newline { shown.lines += 1 }
        guard shown.bytes > PushView.limit.bytes || shown.lines > PushView.limit.lines else { return lines }
        isOver = true
        return note + PushView.steps(lines)
    }

    private static func steps(_ lines: [UInt8]) -> [UInt8] {
        var steps: [UInt8] = []
        var start = 0
        while let end = lines[start...].firstIndex(of: newline) {
            if !lines[start...end].starts(with: indentation) { steps += lines[start...end] }
            start = end + 1
        }
        return steps
    }
}
