// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import Wire

/// The end of a release log, as it grows.
struct TopLog {
    /// Lines that are kept.
    static let most = 5000

    let title: String
    let text = Text()
    /// How many lines of the end are out of sight, below; 0: the end is followed.
    private(set) var back = 0

    /// What came of it. Written by whoever reads the server's answer.
    final class Text: Sendable {
        private struct State {
            var lines: [String] = []
            var partial: [UInt8] = []
            var end: String?
            var filter = TerminalFilter(keepsColours: false)
            /// Something came since the lines were read.
            var isNew = false
        }
        private let state = Mutex(State())

        var lines: [String] {
            state.withLock { state in
                state.isNew = false
                return state.lines
            }
        }
        /// Why no more comes; nil: more may.
        var end: String? { state.withLock { $0.end } }

        /// - Returns: whether it is the first since the lines were read: more than one need not be told.
        func add(_ bytes: [UInt8]) -> Bool {
            state.withLock { state in
                defer { state.isNew = true }
                let isFirst = !state.isNew
                state.partial += state.filter.feed(bytes)
                let newline = UInt8(ascii: "\n")
                guard let last = state.partial.lastIndex(of: newline) else {
                    // A line without an end is no line.
                    if state.partial.count > 1 << 16 { state.partial.removeAll() }
                    return isFirst
                }
                for line in state.partial[..<last].split(separator: newline, omittingEmptySubsequences: false)
                {
                    // Lines that are drawn over and over are shown as they were left.
                    guard line.last != UInt8(ascii: "\r") else { continue }
                    let text = String(decoding: line.prefix(4096), as: UTF8.self)
                    state.lines.append(text.replacing("\t", with: "    "))
                }
                state.partial.removeSubrange(...last)
                if state.lines.count > TopLog.most {
                    state.lines.removeFirst(state.lines.count - TopLog.most)
                }
                return isFirst
            }
        }

        func finish(_ why: String) { state.withLock { $0.end = why } }
    }

    init(title: String) { self.title = title }

    mutating func scroll(_ lines: Int, _ page: Int) {
        back = min(max(0, back + lines), max(0, text.lines.count - page))
    }
}
