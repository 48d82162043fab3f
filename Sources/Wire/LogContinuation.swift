// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The first line of a log that took the place of a full one: how many lines of the same log came before it. With it a
/// reader that was overtaken by the rotation can say how much it missed.
public enum LogContinuation {
    private static let words = " !     this log goes on after line "

    /// The line, without its time.
    public static func text(after lines: Int) -> String { "\(words)\(lines)" }

    /// The number in a line with its time; nil for every other line.
    public static func lines(in line: ArraySlice<UInt8>) -> Int? {
        guard line.count < 100 else { return nil }
        let text = String(decoding: line.dropFirst(25), as: UTF8.self)
        guard text.hasPrefix(words) else { return nil }
        return Int(text.dropFirst(words.count)).flatMap { $0 >= 0 ? $0 : nil }
    }

    /// How many lines came before a file of a log; nil when it does not say.
    public static func before(_ file: Descriptor) -> Int? {
        var buffer = [UInt8](repeating: 0, count: 128)
        let count = pread(file.raw, &buffer, buffer.count, 0)
        guard count > 0, let end = buffer[..<count].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        return lines(in: buffer[..<end])
    }

    /// How many lines a log has up to the end of a file of it, with those before it.
    public static func count(_ file: Descriptor) -> Int {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        // The line that says so is none of them.
        var lines = before(file).map { $0 - 1 } ?? 0
        var offset = 0
        while true {
            let count = pread(file.raw, &buffer, buffer.count, offset)
            guard count > 0 else { return lines }
            for byte in buffer[..<count] where byte == UInt8(ascii: "\n") { lines += 1 }
            offset += count
        }
    }
}
