// SPDX-License-Identifier: Apache-2.0

/// A key, as a terminal in raw mode sends it.
enum TopKey: Equatable {
    case up, down, pageUp, pageDown, home, end
    case enter, escape, backspace
    case interrupt, suspend, redraw
    case character(Character)

    /// - Parameter bytes: what one read gave. A sequence that comes in two parts counts as its keys one by one.
    static func read(_ bytes: [UInt8]) -> [TopKey] {
        var keys: [TopKey] = []
        var rest = String(decoding: bytes, as: UTF8.self).unicodeScalars[...]
        while let first = rest.popFirst() {
            switch first.value {
            case 0x1B: keys.append(sequence(&rest) ?? .escape)
            case 0x0D, 0x0A: keys.append(.enter)
            case 0x7F, 0x08: keys.append(.backspace)
            case 0x03: keys.append(.interrupt)
            case 0x1A: keys.append(.suspend)
            case 0x0C: keys.append(.redraw)
            case ..<0x20, 0x80...0x9F, 0xFFFD: continue
            default: keys.append(.character(Character(first)))
            }
        }
        return keys
    }

    /// After ESC: `[A`, `OA`, `[5~`. One that means nothing here is taken out, too.
    private static func sequence(_ rest: inout Substring.UnicodeScalarView) -> TopKey? {
        guard let kind = rest.first, kind == "[" || kind == "O" else { return nil }
        rest.removeFirst()
        var numbers = ""
        while let next = rest.popFirst() {
            if ("0"..."9").contains(next) || next == ";" {
                numbers.unicodeScalars.append(next)
                continue
            }
            switch (next, numbers) {
            case ("A", _): return .up
            case ("B", _): return .down
            case ("H", _), ("~", "1"), ("~", "7"): return .home
            case ("F", _), ("~", "4"), ("~", "8"): return .end
            case ("~", "5"): return .pageUp
            case ("~", "6"): return .pageDown
            default: return .redraw
            }
        }
        return .redraw
    }
}
