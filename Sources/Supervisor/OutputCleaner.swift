// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// From what a command writes to the lines of its log. The order matters: what is taken out (control characters) must
/// not hide a secret from the redactor, and lines are cut only afterwards.
struct OutputCleaner {
    private var filter = TerminalFilter(keepsColours: true)
    private var redactor: Redactor
    private var splitter = LineSplitter()

    init(secrets: [String]) { redactor = Redactor(secrets) }

    /// Whether a pause would show something.
    var isWaiting: Bool { splitter.isWaiting }

    mutating func feed(_ bytes: [UInt8], now: Int64 = Monotonic.now) -> Lines {
        splitter.feed(redactor.feed(filter.feed(bytes)), now: now)
    }

    /// Shows an unfinished line. What may be the beginning of a secret stays held back: a pause in its middle must not
    /// uncover it.
    mutating func pause(now: Int64 = Monotonic.now) -> Lines { splitter.pause(now: now) }

    /// The output is over.
    mutating func finish(now: Int64 = Monotonic.now) -> Lines {
        var lines = splitter.feed(redactor.flush(), now: now)
        let rest = splitter.finish()
        var start = 0
        for end in rest.ends {
            lines.append(rest.bytes[start..<end])
            start = end
        }
        return lines
    }
}
