// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import Synchronization
internal import Wire

/// Shows a log as it comes: on a terminal with its colours (`NO_COLOR` is obeyed) and with unfinished lines drawn in
/// place; elsewhere as text alone; or each line as JSON. Whatever the server sends, nothing else steers the terminal.
final class LogView: Sendable {
    private struct State {
        var partial: [UInt8] = []
        /// The cursor stands behind an unfinished line.
        var isDrawn = false
    }
    private let isTerminal: Bool
    private let hasColours: Bool
    private let json: Bool
    /// Before each line, where several logs are shown at once.
    private let instance: String?
    private let state = Mutex(State())

    private static let newline = UInt8(ascii: "\n")
    private static let clear = Array("\r\u{1B}[K".utf8)

    /// - Parameters:
    ///   - instance: whose log it is, where there are several.
    init(json: Bool = false, of instance: String? = nil) {
        self.instance = instance
        let variables = ProcessInfo.processInfo.environment
        self.json = json
        isTerminal = !json && isatty(1) == 1 && variables["TERM"] != "dumb"
        hasColours = isTerminal && (variables["NO_COLOR"] ?? "").isEmpty
    }

    /// What it asks the server for.
    var query: String { isTerminal ? "&terminal=1" : "" }

    func show(_ bytes: [UInt8]) {
        state.withLock { state in
            state.partial += bytes
            guard let end = state.partial.lastIndex(of: LogView.newline) else { return }
            var out: [UInt8] = []
            for line in state.partial[..<end].split(
                separator: LogView.newline, omittingEmptySubsequences: false)
            {
                draw(line, &state, &out)
            }
            state.partial.removeSubrange(...end)
            Output.write(out)
        }
    }

    /// The log is over.
    func end() {
        state.withLock { state in
            var out: [UInt8] = []
            if !state.partial.isEmpty { draw(state.partial[...], &state, &out) }
            if state.isDrawn { out.append(LogView.newline) }
            state = State()
            Output.write(out)
        }
    }

    private func draw(_ line: ArraySlice<UInt8>, _ state: inout State, _ out: inout [UInt8]) {
        let isUnfinished = line.last == UInt8(ascii: "\r")
        if isUnfinished, !isTerminal { return }
        var filter = TerminalFilter(keepsColours: hasColours)
        var text = filter.feed(Array(line)).filter { $0 != UInt8(ascii: "\r") }
        if json { return out += object(String(decoding: text, as: UTF8.self)) }
        // Lines of several are not drawn over each other.
        if isUnfinished, instance != nil { return }
        if state.isDrawn { out += LogView.clear }
        state.isDrawn = isUnfinished
        if isUnfinished {
            // A line that the terminal breaks could not be drawn over.
            let plain = String(decoding: TerminalFilter.stripped(text), as: UTF8.self)
            if plain.count >= LogView.columns { text = Array(plain.prefix(LogView.columns - 1).utf8) }
        }
        if let instance { out += Array("\(instance) | ".utf8) }
        out += text
        if text.contains(0x1B) { out += Array("\u{1B}[0m".utf8) }
        if !isUnfinished { out.append(LogView.newline) }
    }

    private static var columns: Int {
        var size = winsize()
        return ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) : 80
    }

    private func object(_ line: String) -> [UInt8] {
        let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        var object = ["time": String(parts[0]), "text": parts.count > 1 ? String(parts[1]) : ""]
        object["instance"] = instance
        let data = try? JSONSerialization.data(
            withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        return Array(data ?? Data()) + [LogView.newline]
    }
}
