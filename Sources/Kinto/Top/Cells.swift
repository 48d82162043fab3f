// SPDX-License-Identifier: Apache-2.0

/// Text in the cells of a terminal. Whatever it holds, it steers nothing, and what is cut is cut between characters.
enum Cells {
    /// Fit to be drawn: escapes in the place of control characters, and nothing that is not seen or turns the direction of what
    /// stands beside it.
    static func plain(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in Output.safe(text).unicodeScalars {
            switch scalar.properties.generalCategory {
            case .lineSeparator, .paragraphSeparator: scalars.append(" ")
            // Of the marks that are not seen one joins parts of a character (U+200D).
            case .format where scalar.value != 0x200D: continue
            case .control, .surrogate: continue
            default: scalars.append(scalar)
            }
        }
        return String(scalars)
    }

    /// How many cells it takes.
    static func width(_ text: String) -> Int { text.reduce(0) { $0 + width($1) } }

    private static func width(_ character: Character) -> Int {
        guard let first = character.unicodeScalars.first else { return 0 }
        if character.unicodeScalars.contains(where: { $0.value == 0xFE0F }) { return 2 }
        switch first.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: return isWide(first) ? 2 : 1
        }
    }

    /// East Asian wide and full width (UAX 11), in blocks, and pictures.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
        0x1F1E6...0x1F1FF, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x1FA70...0x1FAFF,
        0x20000...0x3FFFD,
    ]

    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isEmojiPresentation || wide.contains { $0.contains(scalar.value) }
    }

    /// At most so many cells; where something is left out an ellipsis says so.
    static func cut(_ text: String, _ cells: Int) -> String {
        guard width(text) > cells else { return text }
        guard cells > 0 else { return "" }
        var (kept, used) = ("", 0)
        for character in text {
            let more = width(character)
            guard used + more < cells else { break }
            kept.append(character)
            used += more
        }
        return kept + "…"
    }

    /// Exactly so many cells, or more.
    static func fill(_ text: String, _ cells: Int, isRight: Bool = false) -> String {
        let free = String(repeating: " ", count: max(0, cells - width(text)))
        return isRight ? free + text : text + free
    }
}

/// A line in parts of different looks.
struct StyledLine {
    enum Style: String {
        case plain = ""
        case strong = "1"
        case dim = "2"
        case chosen = "7"
        case good = "32"
        case busy = "33"
        case bad = "31"

        var isColour: Bool { self == .good || self == .busy || self == .bad }
    }

    private(set) var parts: [(text: String, style: Style)] = []

    /// - Parameter text: from anywhere.
    mutating func add(_ text: String, _ style: Style = .plain) { parts.append((Cells.plain(text), style)) }

    init(_ text: String = "", _ style: Style = .plain) { if !text.isEmpty { add(text, style) } }

    var text: String { parts.map(\.text).joined() }

    /// For a terminal, in at most so many cells.
    /// - Parameter all: over the styles of the parts; the line is filled to its end.
    func drawn(_ cells: Int, hasColours: Bool, all: Style? = nil) -> String {
        var (line, free) = ("", cells)
        for part in parts {
            let shown = Cells.cut(part.text, free)
            free -= Cells.width(shown)
            let isStyled = all == nil && part.style != .plain && (hasColours || !part.style.isColour)
            line += isStyled ? "\u{1B}[\(part.style.rawValue)m\(shown)\u{1B}[0m" : shown
            if shown != part.text { break }
        }
        guard let all else { return line }
        return "\u{1B}[\(all.rawValue)m\(line)\(String(repeating: " ", count: max(0, free)))\u{1B}[0m"
    }
}
