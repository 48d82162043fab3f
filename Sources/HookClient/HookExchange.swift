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

    /// - Parameter patience: seconds until the head of the answer is there. It comes when the trigger is durable: soon, or
    ///   not at all.
    init(socket: String, path: String, body: [UInt8], patience: Double) throws {
        let deadline = ContinuousClock.now + .seconds(patience)
        connection = try UnixSocket.connect(socket, patience: try HookExchange.left(until: deadline))
        let head =
            "POST \(path) HTTP/1.1\r\nHost: kinto\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: \(body.count)\r\n\r\n"
        try HookExchange.write(Array(head.utf8) + body, to: connection, until: deadline)

        var bytes: [UInt8] = []
        var end: Int?
        while end == nil {
            try HookExchange.wait(SO_RCVTIMEO, connection, HookExchange.left(until: deadline))
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
        HookExchange.wait(SO_RCVTIMEO, connection, timeval(tv_sec: 0, tv_usec: 0))
    }

    /// The time that is left, for a socket's own limit.
    private static func left(until deadline: ContinuousClock.Instant) throws -> timeval {
        let (seconds, attoseconds) = (deadline - .now).components
        guard seconds > 0 || seconds == 0 && attoseconds > 0 else { throw Broken() }
        // Not 0, which is no limit.
        return timeval(tv_sec: Int(seconds), tv_usec: max(1, Int(attoseconds / 1_000_000_000_000)))
    }

    private static func wait(_ option: Int32, _ connection: Descriptor, _ time: timeval) {
        var time = time
        setsockopt(
            connection.raw, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    private static func write(
        _ bytes: [UInt8], to connection: Descriptor, until deadline: ContinuousClock.Instant
    ) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            wait(SO_SNDTIMEO, connection, try left(until: deadline))
            let count = try check("write") {
                rest.withUnsafeBytes { Glibc.write(connection.raw, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
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
