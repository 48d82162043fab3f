// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// One blocking connection, read through a buffer. For one thread.
final class Stream {
    private static let bodyLimit = 16 << 20

    let descriptor: Int32
    private var buffer: [UInt8] = []
    private var start = 0
    /// On ``Clock``; no wait for the other side goes on after it.
    var deadline = Int64.max
    /// What an end before the first byte of a message is called.
    var nameOfEnd = "closed"

    /// Owns the descriptor.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Whether something was received that nobody has read.
    var isUnread: Bool { start < buffer.count }

    /// - Returns: False when the other side takes no more.
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                Glibc.send(
                    descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    /// Header fields up to the empty line, names in lower case.
    func readFields() throws(RequestFailure) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        while true {
            let field = try readLine()
            if field.isEmpty { return fields }
            guard let colon = field.firstIndex(of: ":"), fields.count < 200 else {
                throw RequestFailure("malformed", "header field \(field.prefix(80))")
            }
            fields.append((field[..<colon].lowercased(), Self.trimmed(field[field.index(after: colon)...])))
        }
    }

    func readBody(length text: String) throws(RequestFailure) -> [UInt8] {
        guard let length = Int(text), (0...Self.bodyLimit).contains(length) else {
            throw RequestFailure("malformed", "content-length \(text.prefix(80))")
        }
        return try readBytes(length)
    }

    func readChunks() throws(RequestFailure) -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let line = try readLine()
            let digits = line.prefix { $0 != ";" && $0 != " " }
            guard let length = Int(digits, radix: 16), (0...Self.bodyLimit - body.count).contains(length)
            else {
                throw RequestFailure("malformed", "chunk size \(line.prefix(40))")
            }
            if length == 0 { break }
            body += try readBytes(length)
            guard try readLine().isEmpty else { throw RequestFailure("malformed", "no end of chunk") }
        }
        while try !readLine().isEmpty {}
        return body
    }

    /// All there is until the other side closes.
    func readRest() throws(RequestFailure) -> [UInt8] {
        while try fill(atEnd: true) {
            guard buffer.count - start <= Self.bodyLimit else {
                throw RequestFailure("malformed", "endless body")
            }
        }
        defer { start = buffer.count }
        return Array(buffer[start...])
    }

    func readLine(isFirst: Bool = false) throws(RequestFailure) -> String {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: 10) {
                let line = buffer[start..<end]
                start = end + 1
                return String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
            }
            guard buffer.count - start <= 65_536 else { throw RequestFailure("malformed", "endless line") }
            let kept = buffer.count - start
            _ = try fill(isFirst: isFirst)
            searched = start + kept
        }
    }

    func readBytes(_ count: Int) throws(RequestFailure) -> [UInt8] {
        while buffer.count - start < count { _ = try fill() }
        defer { start += count }
        return Array(buffer[start..<start + count])
    }

    /// Receives some bytes. False at the end of the stream, when `atEnd` says that it may end here.
    private func fill(isFirst: Bool = false, atEnd: Bool = false) throws(RequestFailure) -> Bool {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        while true {
            guard Clock.now() < deadline else { throw RequestFailure("timeout", "no whole message in time") }
            let (count, code) = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { chunk in
                let count = recv(descriptor, chunk.baseAddress, chunk.count, 0)
                if count > 0 { buffer += chunk[..<count] }
                return (count, errno)
            }
            if count > 0 { return true }
            if count < 0, code == EINTR { continue }
            if count < 0, code == EAGAIN { throw RequestFailure("timeout", "nothing received in time") }
            if count == 0, atEnd { return false }
            let how = count == 0 ? "end of stream" : "errno \(code)"
            guard isFirst, buffer.isEmpty else { throw RequestFailure("truncated", how) }
            throw RequestFailure(nameOfEnd, "\(how) before a message")
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
