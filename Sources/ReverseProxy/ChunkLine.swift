// SPDX-License-Identifier: Apache-2.0

/// The line before a chunk (RFC 9112, 7.1), without its CR LF.
enum ChunkLine {
    /// The chunk's size; nil when the line is anything but hexadecimal digits and extensions by the grammar. Spaces,
    /// which the grammar lets stand around an extension's name, are refused: some parsers end the line there.
    /// Extensions mean nothing to anyone and are not passed on.
    static func size(_ line: ArraySlice<UInt8>) -> Int? {
        var rest = line
        var size = 0
        while let byte = rest.first, let digit = digit(byte) {
            // 15 digits cannot overflow.
            guard line.count - rest.count < 15 else { return nil }
            size = size << 4 | digit
            rest.removeFirst()
        }
        guard rest.count < line.count else { return nil }
        while rest.first == UInt8(ascii: ";") {
            rest.removeFirst()
            guard dropToken(&rest) else { return nil }
            guard rest.first == UInt8(ascii: "=") else { continue }
            rest.removeFirst()
            guard rest.first == UInt8(ascii: "\"") ? dropQuoted(&rest) : dropToken(&rest) else { return nil }
        }
        return rest.isEmpty ? size : nil
    }

    private static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }

    /// False when there is none.
    private static func dropToken(_ rest: inout ArraySlice<UInt8>) -> Bool {
        let count = rest.count
        rest = rest.drop(while: MessageHead.isToken)
        return rest.count < count
    }

    /// False when it does not end.
    private static func dropQuoted(_ rest: inout ArraySlice<UInt8>) -> Bool {
        rest.removeFirst()
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return true }
            guard MessageHead.isText(byte) else { return false }
            if byte == UInt8(ascii: "\\") {
                guard let next = rest.popFirst(), MessageHead.isText(next) else { return false }
            }
        }
        return false
    }
}
