// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// One HTTP/1.1 request to the control server over its unix socket, and the answer as it comes.
struct HookExchange {
    /// The connection ended too early, or what came is no answer.
    struct Broken: Error {}

    let status: Int
    private let connection: Descriptor
    private let chunked: Bool
    private let rest: [UInt8]

    init(socket: String, path: String, body: [UInt8]) throws {
        connection = try UnixSocket.connect(socket)
        // The answer's head comes when the trigger is durable: soon, or not at all.
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(connection.raw, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(connection.raw, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        let head =
            "POST \(path) HTTP/1.1\r\nHost: kinto\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: \(body.count)\r\n\r\n"
        try connection.writeAll(Array(head.utf8) + body)

        var bytes: [UInt8] = []
        var end: Int?
        while end == nil {
            let more = try HookExchange.some(connection)
            guard !more.isEmpty, bytes.count < 64 << 10 else { throw Broken() }
            bytes += more
            end = HookExchange.headEnd(bytes)
        }
        guard let end else { throw Broken() }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        let words = (lines.first ?? "").split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { throw Broken() }
        self.status = status
        chunked = lines.contains {
            $0.lowercased().hasPrefix("transfer-encoding:") && $0.lowercased().hasSuffix("chunked")
        }
        rest = Array(bytes[end...])
        // From here on the stream may be quiet for as long as a build takes.
        patience = timeval(tv_sec: 0, tv_usec: 0)
        setsockopt(connection.raw, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
    }

    /// Hands on the body as it arrives.
    func copyBody(_ print: ([UInt8]) -> Void) throws {
        var buffer = rest
        guard chunked else {
            while !buffer.isEmpty {
                print(buffer)
                buffer = try HookExchange.some(connection)
            }
            return
        }
        while true {
            while let newline = buffer.firstIndex(of: 0x0A) {
                let size = buffer[..<newline].prefix { $0 != 0x0D && $0 != UInt8(ascii: ";") }
                guard let count = Int(String(decoding: size, as: UTF8.self), radix: 16), count >= 0,
                    count < 1 << 30
                else {
                    throw Broken()
                }
                if count == 0 { return }
                guard buffer.count >= newline + 1 + count + 2 else { break }
                print(Array(buffer[(newline + 1)..<(newline + 1 + count)]))
                buffer.removeSubrange(..<(newline + 1 + count + 2))
            }
            let more = try HookExchange.some(connection)
            guard !more.isEmpty else { throw Broken() }
            buffer += more
        }
    }

    private static func some(_ connection: Descriptor) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        let count = try check("read") { read(connection.raw, &buffer, buffer.count) }
        return Array(buffer[0..<count])
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 0...(bytes.count - 4) where bytes[index..<(index + 4)].elementsEqual([13, 10, 13, 10]) {
            return index + 4
        }
        return nil
    }
}
