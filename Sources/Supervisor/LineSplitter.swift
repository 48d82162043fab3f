// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Lines without their ends, one after the other: a flood of short ones costs no memory of its own for each.
struct Lines {
    private(set) var bytes: [UInt8] = []
    private(set) var ends: [Int] = []

    var isEmpty: Bool { ends.isEmpty }

    mutating func append(_ line: some Collection<UInt8>) {
        bytes += line
        ends.append(bytes.count)
    }
}

/// Cuts output into lines that are fit for a log: valid UTF-8, without credentials in URLs; of a line that is drawn
/// over with carriage returns, the last state. While such a line is not finished, its state is told once a second
/// at most, as a line that ends with a carriage return: a terminal draws it in place, others leave it out.
struct LineSplitter {
    /// Longer lines are cut into pieces of so many bytes, or a few fewer.
    static let limit = 16 << 10
    /// The time between two states of an unfinished line, in milliseconds.
    static let progressInterval: Int64 = 1000
    private static let newline = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    private var partial: [UInt8] = []
    /// The line's last whole state, when a carriage return ended it.
    private var drawn: [UInt8]?
    /// What was told last of an unfinished line, and when.
    private var told: [UInt8] = []
    private var toldAt: Int64 = 0
    /// Nothing came since the last pause.
    private var isQuiet = true

    /// - Parameter now: monotonic milliseconds.
    mutating func feed(_ bytes: [UInt8], now: Int64) -> Lines {
        var lines = Lines()
        guard !bytes.isEmpty else { return lines }
        isQuiet = false
        bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            var at = 0
            while at < buffer.count {
                let left = buffer.count - at
                guard let found = memchr(base + at, Int32(LineSplitter.newline), left) else {
                    add(UnsafeBufferPointer(start: base + at, count: left), &lines)
                    return
                }
                let count = UnsafeRawPointer(base + at).distance(to: UnsafeRawPointer(found))
                add(UnsafeBufferPointer(start: base + at, count: count), &lines)
                endLine(&lines)
                at += count + 1
            }
        }
        if drawn != nil, now >= toldAt + LineSplitter.progressInterval { tell(now, &lines) }
        return lines
    }

    /// The output pauses: what is there of a line is shown.
    mutating func pause(now: Int64) -> Lines {
        var lines = Lines()
        isQuiet = true
        if drawn == nil { take(partial.count, into: &lines) } else { tell(now, &lines) }
        return lines
    }

    /// The output ends.
    mutating func finish() -> Lines {
        var lines = Lines()
        isQuiet = true
        if drawn != nil || !partial.isEmpty { endLine(&lines) }
        return lines
    }

    /// Whether a pause would show something.
    var isWaiting: Bool { !isQuiet && (!partial.isEmpty || drawn != nil) }

    private mutating func add(_ piece: UnsafeBufferPointer<UInt8>, _ lines: inout Lines) {
        var rest = piece[...]
        while let end = rest.firstIndex(of: LineSplitter.carriageReturn) {
            append(rest[..<end], &lines)
            if !partial.isEmpty { drawn = partial }
            partial.removeAll(keepingCapacity: true)
            rest = rest[(end + 1)...]
        }
        append(rest, &lines)
    }

    private mutating func append(_ bytes: Slice<UnsafeBufferPointer<UInt8>>, _ lines: inout Lines) {
        var rest = bytes
        while partial.count + rest.count >= LineSplitter.limit {
            let part = rest.prefix(LineSplitter.limit - partial.count)
            partial += part
            rest = rest.dropFirst(part.count)
            take(wholeCharacters, into: &lines)
        }
        partial += rest
    }

    private mutating func endLine(_ lines: inout Lines) {
        if let state = drawn {
            drawn = nil
            told = []
            // A line whose end only changes colours still shows what was there before.
            if LineSplitter.isBlank(partial) { partial = state + partial }
        }
        take(partial.count, into: &lines, isEnd: true)
    }

    /// The state of an unfinished line.
    private mutating func tell(_ now: Int64, _ lines: inout Lines) {
        guard let drawn else { return }
        let state = LineSplitter.isBlank(partial) ? drawn : partial
        guard state != told else { return }
        told = state
        toldAt = now
        lines.append(LineSplitter.clean(state[...]) + [LineSplitter.carriageReturn])
    }

    private static func isBlank(_ bytes: [UInt8]) -> Bool {
        bytes.isEmpty || TerminalFilter.stripped(bytes).isEmpty
    }

    /// How many bytes there are before a last character or colour that is not complete yet.
    private var wholeCharacters: Int {
        if let escape = partial.suffix(64).lastIndex(of: 0x1B), escape > 0,
            !partial[escape...].contains(UInt8(ascii: "m"))
        {
            return escape
        }
        for back in 1...3 where back < partial.count {
            switch partial[partial.count - back] {
            case 0x80..<0xC0: continue
            case 0xC0..<0xE0 where back < 2, 0xE0..<0xF0 where back < 3, 0xF0..<0xF8 where back < 4:
                return partial.count - back
            default: return partial.count
            }
        }
        return partial.count
    }

    private mutating func take(_ count: Int, into lines: inout Lines, isEnd: Bool = false) {
        guard count > 0 || isEnd else { return }
        lines.append(LineSplitter.clean(partial[..<count]))
        if count == partial.count {
            partial.removeAll(keepingCapacity: true)
        } else {
            partial.removeSubrange(..<count)
        }
    }

    private static func clean(_ line: ArraySlice<UInt8>) -> [UInt8] {
        var line = Array(line)
        if !line.allSatisfy({ $0 < 0x80 }) { line = Array(String(decoding: line, as: UTF8.self).utf8) }
        return Credentials.mayHold(line[...]) ? Credentials.redacted(line) : line
    }
}
