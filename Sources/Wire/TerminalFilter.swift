// SPDX-License-Identifier: Apache-2.0

/// Takes out of a stream of output whatever would steer a terminal: cursor movements, titles, links, the clipboard,
/// questions that a terminal answers by typing. What is left is text, tabs, line ends, carriage returns and, if they
/// are wanted, colours (`ESC [ digits m`). Sequences may be split anywhere between two calls.
public struct TerminalFilter: Sendable {
    private enum State {
        case text
        /// After ESC.
        case escape
        /// After ESC and `[`: the parameters are in `sequence`.
        case control
        /// A string (title, link, device control) up to BEL or ESC `\`.
        case string
        case stringEscape
        /// After 0xC2, which begins the controls of 0x80...0x9F in UTF-8.
        case latin
    }

    private let keepsColours: Bool
    private var state = State.text
    private var sequence: [UInt8] = []
    private var skipped = 0

    /// Longer sequences of parameters are no colours; longer strings are taken for text again.
    private static let longestColour = 48
    private static let longestString = 4096
    private static let escape: UInt8 = 0x1B

    /// Bytes that are passed on as they are, outside of sequences.
    private static let plain: [Bool] = (0..<256).map { byte in
        byte >= 0x20 && byte != 0x7F && byte != 0xC2 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    /// - Parameter keepsColours: whether `ESC [ … m` stays.
    public init(keepsColours: Bool) { self.keepsColours = keepsColours }

    /// What is fit to be kept or shown of the next bytes.
    public mutating func feed(_ bytes: [UInt8]) -> [UInt8] {
        let plain = TerminalFilter.plain
        if case .text = state, bytes.allSatisfy({ plain[Int($0)] }) { return bytes }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if case .text = state {
                let start = at
                while at < bytes.count, plain[Int(bytes[at])] { at += 1 }
                out += bytes[start..<at]
                guard at < bytes.count else { break }
            }
            take(bytes[at], &out)
            at += 1
        }
        return out
    }

    private mutating func take(_ byte: UInt8, _ out: inout [UInt8]) {
        switch state {
        case .text:
            switch byte {
            case TerminalFilter.escape: begin()
            case 0xC2: state = .latin
            default: if TerminalFilter.plain[Int(byte)] { out.append(byte) }
            }
        case .latin:
            state = .text
            if (0x80...0x9F).contains(byte) {
                // CSI, and what begins a string: as if they were written with ESC.
                if byte == 0x9B { begin(.control) }
                if [0x90, 0x98, 0x9D, 0x9E, 0x9F].contains(byte) { begin(.string) }
                return
            }
            out.append(0xC2)
            take(byte, &out)
        case .escape:
            switch byte {
            case UInt8(ascii: "["): begin(.control)
            case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"),
                UInt8(ascii: "_"):
                begin(.string)
            // Intermediate bytes: one more is to come.
            case 0x20...0x2F: break
            default: leave(byte, &out, isPart: byte >= 0x30)
            }
        case .control:
            switch byte {
            case 0x20...0x3F: if sequence.count <= TerminalFilter.longestColour { sequence.append(byte) }
            case UInt8(ascii: "m"):
                let isColour =
                    sequence.count <= TerminalFilter.longestColour
                    && sequence.allSatisfy { (0x30...0x3B).contains($0) }
                if keepsColours, isColour {
                    out += [TerminalFilter.escape, UInt8(ascii: "[")]
                    out += sequence
                    out.append(byte)
                }
                state = .text
            default: leave(byte, &out, isPart: (0x40...0x7E).contains(byte))
            }
        case .string:
            skipped += 1
            switch byte {
            case 0x07, 0x18, 0x1A: state = .text
            case TerminalFilter.escape: state = .stringEscape
            // No title goes over the end of a line: what is broken does not swallow the rest of the output.
            case 0x0A: leave(byte, &out, isPart: false)
            default: if skipped > TerminalFilter.longestString { state = .text }
            }
        case .stringEscape:
            state = .text
            if byte != UInt8(ascii: "\\") {
                begin()
                take(byte, &out)
            }
        }
    }

    private mutating func begin(_ next: State = .escape) {
        state = next
        sequence.removeAll(keepingCapacity: true)
        skipped = 0
    }

    /// The end of a sequence, of which `byte` is a part, or which it breaks off.
    private mutating func leave(_ byte: UInt8, _ out: inout [UInt8], isPart: Bool) {
        state = .text
        if !isPart { take(byte, &out) }
    }

    /// Without colours and all other sequences.
    public static func stripped(_ bytes: [UInt8]) -> [UInt8] {
        var filter = TerminalFilter(keepsColours: false)
        return filter.feed(bytes)
    }

    /// A text from somewhere else as one line without anything but characters.
    public static func plain(_ text: String) -> String {
        let line = stripped(Array(text.utf8)).map { $0 == 0x0A || $0 == 0x0D ? UInt8(ascii: " ") : $0 }
        return String(decoding: line, as: UTF8.self)
    }
}
