// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// The part of a stored log that a failure is explained from: of a release log what the last command printed, of a
/// console log all. Read in pieces: a log may be large.
struct LogSection {
    enum Kind {
        /// Steps at the margin, what commands print indented.
        case release
        case console
    }

    /// A line: where it begins in the file, and its text without time and indentation of the log.
    struct Line {
        let offset: Int
        let bytes: ArraySlice<UInt8>
    }

    private let file: Descriptor
    private let kind: Kind

    private static let chunk = 256 << 10
    /// What is read around a line to show it.
    private static let around = 16 << 10
    private static let newline = UInt8(ascii: "\n")
    /// `2026-01-02T03:04:05.678Z `
    private static let time = 25
    private static let indentation = Array("       ".utf8)
    private static let trouble = Array(" !     ".utf8)
    private static let step = Array("-----> ".utf8)

    /// nil: there is no such log.
    init?(_ path: String, _ kind: Kind) {
        guard let file = try? Descriptor.open(path, O_RDONLY) else { return nil }
        self.file = file
        self.kind = kind
    }

    /// Calls `line` for each line of output, and `begin` when a new command begins.
    func read(begin: () -> Void, line: (Line) -> Void) {
        var buffer = [UInt8](repeating: 0, count: LogSection.chunk)
        var carry: [UInt8] = []
        var offset = 0
        while true {
            let count = pread(file.raw, &buffer, buffer.count, offset + carry.count)
            guard count > 0 else { break }
            let bytes = carry + buffer[..<count]
            let end = bytes.lastIndex(of: LogSection.newline).map { $0 + 1 } ?? 0
            lines(bytes[..<end], at: offset, begin, line)
            offset += end
            carry = Array(bytes[end...])
            // No line of ours is so long: it is passed over.
            if carry.count > LogSection.chunk {
                offset += carry.count
                carry = []
            }
        }
        if !carry.isEmpty { lines(carry[...], at: offset, begin, line) }
    }

    private func lines(
        _ bytes: ArraySlice<UInt8>, at offset: Int, _ begin: () -> Void, _ line: (Line) -> Void
    ) {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: LogSection.newline) ?? bytes.endIndex
            switch content(bytes[start..<end]) {
            case .output(let text): line(Line(offset: offset + start - bytes.startIndex, bytes: text))
            case .step: begin()
            case .other: break
            }
            start = end + 1
        }
    }

    private enum Content {
        case output(ArraySlice<UInt8>)
        case step
        case other
    }

    private func content(_ stored: ArraySlice<UInt8>) -> Content {
        // The state of an unfinished line.
        if stored.last == UInt8(ascii: "\r") { return .other }
        let text = stored.dropFirst(LogSection.time)
        if kind == .console {
            // The supervisor's own words.
            return text.starts(with: LogSection.trouble) ? .other : .output(text)
        }
        if text.starts(with: LogSection.indentation) {
            return .output(text.dropFirst(LogSection.indentation.count))
        }
        return text.starts(with: LogSection.step) ? .step : .other
    }

    /// The lines before and after the one at `offset`, and that one, fit to be shown.
    func lines(around offset: Int, before: Int, after: Int) -> (
        before: [String], line: String, after: [String]
    ) {
        let start = max(0, offset - LogSection.around)
        var buffer = [UInt8](repeating: 0, count: offset - start + LogSection.around)
        let count = pread(file.raw, &buffer, buffer.count, start)
        guard count > offset - start else { return ([], "", []) }
        func shown(_ part: ArraySlice<UInt8>) -> [String] {
            var out: [String] = []
            lines(part, at: 0, { out.removeAll() }) { out.append(LogSection.shown($0.bytes)) }
            return out
        }
        // What is cut off at the beginning is no line.
        var head = buffer[..<(offset - start)]
        if start > 0 { head = head.drop { $0 != LogSection.newline } }
        var tail: [String] = []
        var isOver = false
        lines(buffer[(offset - start)..<count], at: 0, { isOver = true }) {
            if !isOver { tail.append(LogSection.shown($0.bytes)) }
        }
        return (
            Array(shown(head).suffix(before)), tail.first ?? "", Array(tail.dropFirst().prefix(after))
        )
    }

    /// A line as people are shown it: without control characters, and not endless.
    static func shown(_ bytes: ArraySlice<UInt8>) -> String {
        let text = TerminalFilter.plain(String(decoding: bytes.prefix(400), as: UTF8.self))
        return bytes.count > 400 ? text + "…" : text
    }
}
