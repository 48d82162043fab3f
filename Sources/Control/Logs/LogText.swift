// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// The stored form of log lines, 24 bytes of time and a space before each, made fit for whoever reads them.
struct LogText: Hashable, Sendable {
    /// Without: as a push shows it.
    let times: Bool
    /// Colours and the states of unfinished lines (they end with a carriage return) stay.
    let isTerminal: Bool

    private static let newline = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
    private static let timeLength = 25

    /// - Parameter chunk: whole lines.
    func shown(_ chunk: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(chunk.count)
        for line in chunk.split(separator: LogText.newline, omittingEmptySubsequences: true) {
            var text = line
            let isUnfinished = text.last == LogText.carriageReturn
            if isUnfinished {
                guard isTerminal else { continue }
                text = text.dropLast()
            }
            if LogText.hasTime(text) {
                if times { out += text.prefix(LogText.timeLength) }
                text = text.dropFirst(LogText.timeLength)
            }
            append(text, &out)
            if isUnfinished { out.append(LogText.carriageReturn) }
            out.append(LogText.newline)
        }
        return out
    }

    /// Lines are written clean; but a log may be of an older version, or what a power cut left.
    private func append(_ text: ArraySlice<UInt8>, _ out: inout [UInt8]) {
        guard !text.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0x09 }) || Credentials.mayHold(text)
        else {
            out += text
            return
        }
        var filter = TerminalFilter(keepsColours: isTerminal)
        let clean = Credentials.redacted(filter.feed(Array(text))).filter { $0 != LogText.carriageReturn }
        out += String(decoding: clean, as: UTF8.self).utf8
        // No line colours the next one.
        if clean.contains(0x1B) { out += Array("\u{1B}[0m".utf8) }
    }

    /// `2026-01-02T03:04:05.678Z `
    private static func hasTime(_ line: ArraySlice<UInt8>) -> Bool {
        let start = line.startIndex
        return line.count >= timeLength && line[start + 4] == UInt8(ascii: "-")
            && line[start + 10] == UInt8(ascii: "T") && line[start + 23] == UInt8(ascii: "Z")
            && line[start + 24] == 0x20
    }
}
