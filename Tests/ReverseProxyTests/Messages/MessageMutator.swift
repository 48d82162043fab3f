// SPDX-License-Identifier: Apache-2.0

/// Makes messages that are nearly right out of right ones: changes where parsers differ.
struct MessageMutator {
    private var generator: SeededGenerator
    private let seeds: [[UInt8]]

    init(seed: UInt64, corpus: [[UInt8]]) {
        generator = SeededGenerator(seed: seed)
        seeds = corpus
    }

    private static let bytes: [UInt8] = [
        0, 1, 9, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x22, 0x23, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F, 0x30, 0x31, 0x3A,
        0x3B,
        0x3D, 0x40, 0x5B, 0x5C, 0x5D, 0x5F, 0x61, 0x66, 0x78, 0x7F, 0x80, 0xA0, 0xFF,
    ]
    private static let words: [[UInt8]] = [
        "\r\n", "\n", "\r", "\r\n\r\n", "\n\n", "\r\n ", "\r\n\t", " ", "  ", "\t", ":", " :", ": ", ",", ";",
        ";a=b",
        ";a=\"b\"", "=", "0", "00", "0x", "+", "-", "1", "0\r\n\r\n", "5\r\nhello\r\n", "ffffffffffffffff",
        "99999999999999999999", "4294967296", "Content-Length: 5\r\n", "Content-Length: 0\r\n",
        "content-length:5\r\n", "Transfer-Encoding: chunked\r\n", "transfer-encoding:identity\r\n", "chunked",
        ", chunked", "identity", "gzip, ", "Host: b\r\n", "Host:\r\n", "Connection: close\r\n",
        "Connection: x-a, upgrade\r\n", "Upgrade: websocket\r\n", "TE: trailers\r\n", "X: y\r\n", ": y\r\n",
        "X : y\r\n", "X\r\n", "Content_Length: 5\r\n", "Via: 1.1 a\r\n", "http://a", "http://b", "*",
        "HTTP/1.0",
        "HTTP/1.1", "HTTP/2.0", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HEAD",
        "OPTIONS",
        "100", "204", "304",
    ].map { Array($0.utf8) }

    mutating func next() -> [UInt8] {
        var message = seeds[Int.random(in: 0..<seeds.count, using: &generator)]
        for _ in 0..<Int.random(in: 0...4, using: &generator) { change(&message) }
        return message
    }

    private mutating func change(_ message: inout [UInt8]) {
        let at = place(in: message)
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: message.insert(Self.bytes.randomElement(using: &generator) ?? 0, at: at)
        case 1 where at < message.count: message[at] = Self.bytes.randomElement(using: &generator) ?? 0
        case 2 where at < message.count: message[at] = UInt8.random(in: 0...255, using: &generator)
        case 3 where at < message.count:
            message.removeSubrange(at..<min(message.count, at + Int.random(in: 1...4, using: &generator)))
        case 4:
            // A part of another one.
            let other = seeds[Int.random(in: 0..<seeds.count, using: &generator)]
            let from = Int.random(in: 0...other.count, using: &generator)
            message.insert(
                contentsOf: other[from...].prefix(Int.random(in: 1...40, using: &generator)), at: at)
        case 5:
            // A line twice, or elsewhere.
            let lines = message.split(separator: 0x0A, omittingEmptySubsequences: false)
            if let line = lines.randomElement(using: &generator) {
                message.insert(contentsOf: Array(line) + [0x0A], at: lineStart(in: message))
            }
        case 6:
            message.insert(
                contentsOf: Self.words.randomElement(using: &generator) ?? [], at: lineStart(in: message))
        default: message.insert(contentsOf: Self.words.randomElement(using: &generator) ?? [], at: at)
        }
    }

    /// Anywhere, but rather beside what separates.
    private mutating func place(in message: [UInt8]) -> Int {
        let any = Int.random(in: 0...message.count, using: &generator)
        guard Bool.random(using: &generator) else { return any }
        let separators = message[any...].firstIndex { [0x0D, 0x0A, 0x20, 0x3A, 0x3B, 0x2C].contains($0) }
        return min(message.count, (separators ?? any) + Int.random(in: 0...1, using: &generator))
    }

    private mutating func lineStart(in message: [UInt8]) -> Int {
        let any = Int.random(in: 0...message.count, using: &generator)
        return message[any...].firstIndex(of: 0x0A).map { $0 + 1 } ?? message.count
    }
}
