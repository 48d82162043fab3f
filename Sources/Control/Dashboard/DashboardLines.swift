// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import NIOCore

/// A line of a log as the pages show it.
struct DashboardLine: Sendable, Encodable {
    struct Part: Sendable, Encodable {
        /// Names of classes, of a closed set.
        let style: String
        let text: String

        func encode(to encoder: any Encoder) throws {
            var values = encoder.unkeyedContainer()
            try values.encode(style)
            try values.encode(text)
        }
    }

    private enum CodingKeys: String, CodingKey {
        case time, parts
        case isBad = "bad"
    }

    /// From 1; what a reader has seen up to here.
    let number: Int
    /// `12:34:56`
    let time: String
    let isBad: Bool
    let parts: [Part]
}

/// Numbers the lines of a log, and turns terminals' colours into names of classes.
struct DashboardLines {
    /// The form of a log that is read here.
    static let text = LogText(times: true, isTerminal: true)

    private var number: Int

    private static let trouble = ["error", "exception", "traceback", "fatal", "panic:"]
    private static let alarm = " !     "
    private static let step = "-----> "

    /// The first line that looks like trouble. Blocks on the disk.
    static func firstBad(_ path: String, _ index: LogIndex) -> Int? {
        let (step, alarm) = (Array(step.utf8), Array(alarm.utf8))
        let words = trouble.map { Array($0.utf8) }
        return index.lines(path, with: words + [alarm], limit: 1) { line in
            // An alarm in the middle of a line is none.
            line.starts(with: alarm)
                || !line.starts(with: step) && words.contains { line.contains($0) }
        }.first?.number
    }

    /// - Parameter number: of the line before the first.
    init(after number: Int) { self.number = number }

    /// - Parameter chunk: whole lines.
    mutating func next(_ chunk: ByteBuffer) -> [DashboardLine] {
        var lines: [DashboardLine] = []
        for bytes in Array(buffer: chunk).split(separator: UInt8(ascii: "\n")) {
            number += 1
            // A line that is not finished: its last form comes.
            if bytes.last == UInt8(ascii: "\r") { continue }
            var line = bytes
            var time = ""
            let head = Array(line.prefix(25))
            if head.count == 25, head[10] == UInt8(ascii: "T"), head[23] == UInt8(ascii: "Z") {
                time = String(decoding: head[11..<19], as: UTF8.self)
                line = line.dropFirst(25)
            }
            let parts = DashboardLines.parts(line)
            let plain = parts.map(\.text).joined()
            let small = plain.lowercased()
            lines.append(
                DashboardLine(
                    number: number, time: time,
                    isBad: plain.hasPrefix(DashboardLines.alarm)
                        || !plain.hasPrefix(DashboardLines.step)
                            && DashboardLines.trouble.contains { small.contains($0) },
                    parts: parts))
        }
        return lines
    }

    private struct Style {
        var isBold = false, isItalic = false, isUnderlined = false
        var colour: Int?

        var names: String {
            var names: [String] = []
            if isBold { names.append("b") }
            if isItalic { names.append("i") }
            if isUnderlined { names.append("u") }
            if let colour { names.append("c\(colour)") }
            return names.joined(separator: " ")
        }

        mutating func apply(_ codes: [Int]) {
            var index = 0
            while index < codes.count {
                switch codes[index] {
                case 0: self = Style()
                case 1: isBold = true
                case 3: isItalic = true
                case 4: isUnderlined = true
                case 22: isBold = false
                case 23: isItalic = false
                case 24: isUnderlined = false
                case let code where 30...37 ~= code: colour = code - 30
                case let code where 90...97 ~= code: colour = code - 82
                case 39: colour = nil
                // Another 256 colours, or 16 million: shown without.
                case 38, 48: index += index + 1 < codes.count && codes[index + 1] == 5 ? 2 : 4
                default: break
                }
                index += 1
            }
        }
    }

    private static func parts(_ line: ArraySlice<UInt8>) -> [DashboardLine.Part] {
        var style = Style()
        var parts: [DashboardLine.Part] = []
        var rest = line
        while let escape = rest.firstIndex(of: 0x1B) {
            add(rest[..<escape], style, &parts)
            rest = rest[(escape + 1)...]
            guard rest.first == UInt8(ascii: "["), let end = rest.firstIndex(of: UInt8(ascii: "m")) else {
                continue
            }
            let codes = rest[(rest.startIndex + 1)..<end].split(
                separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
            style.apply(codes.map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 })
            rest = rest[(end + 1)...]
        }
        add(rest, style, &parts)
        return parts
    }

    private static func add(_ bytes: ArraySlice<UInt8>, _ style: Style, _ parts: inout [DashboardLine.Part]) {
        guard !bytes.isEmpty else { return }
        parts.append(.init(style: style.names, text: String(decoding: bytes, as: UTF8.self)))
    }
}
