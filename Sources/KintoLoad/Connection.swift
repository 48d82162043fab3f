// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// One blocking client connection; every wait ends after ten seconds.
final class Connection {
    struct Response {
        var status: Int
        var body: [UInt8]
        /// The connection serves another request.
        var isReusable: Bool
    }

    enum Idle { case open, closed, unsolicited }

    static let timeoutSeconds = 10
    private static let bodyLimit = 16 << 20

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var start = 0
    private var deadline: Int64 = 0
    private var requests = 0

    init(to options: Options) throws(RequestFailure) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw RequestFailure("connect", "socket: errno \(errno)") }
        var limit = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = options.port.bigEndian
        address.sin_addr.s_addr = options.address
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw RequestFailure("connect", "connect: errno \(errno)") }
    }

    deinit { if descriptor >= 0 { _ = Glibc.close(descriptor) } }

    /// What the server did to the connection since the last response; does not wait.
    func peek() -> Idle {
        if start < buffer.count { return .unsolicited }
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        if count > 0 { return .unsolicited }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? .open : .closed
    }

    /// Sends one request and reads its whole response.
    func exchange(_ request: [UInt8]) throws(RequestFailure) -> Response {
        deadline = Clock.now() + Int64(Self.timeoutSeconds) * 1_000_000_000
        requests += 1
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes { bytes in
                send(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            // A server that refuses early may have answered before it closed: the reading tells.
            if count <= 0 { break }
            sent += count
        }
        return try readResponse()
    }

    private func readResponse() throws(RequestFailure) -> Response {
        var status = 0
        var fields: [(name: String, value: String)] = []
        var isHTTP11 = true
        var answered = false
        repeat {
            let line = try readLine(isFirst: !answered)
            answered = true
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), parts[1].utf8.count == 3,
                let code = Int(parts[1])
            else {
                throw RequestFailure("malformed", "status line \(line.prefix(80))")
            }
            (status, isHTTP11, fields) = (code, parts[0] == "HTTP/1.1", [])
            while true {
                let field = try readLine()
                if field.isEmpty { break }
                guard let colon = field.firstIndex(of: ":"), fields.count < 200 else {
                    throw RequestFailure("malformed", "header field \(field.prefix(80))")
                }
                let value = field[field.index(after: colon)...]
                fields.append((field[..<colon].lowercased(), Self.trimmed(value)))
            }
        } while (100..<200).contains(status)

        func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }
        var isReusable = isHTTP11 && !values("connection").contains { $0.lowercased() == "close" }
        var body: [UInt8] = []
        if let coding = values("transfer-encoding").last {
            guard coding.lowercased() == "chunked", values("content-length").isEmpty else {
                throw RequestFailure("malformed", "transfer-encoding \(coding)")
            }
            body = try readChunks()
        } else if status == 204 || status == 304 {
            body = []
        } else if let text = values("content-length").first {
            guard values("content-length").count == 1, let length = Int(text),
                (0...Self.bodyLimit).contains(length)
            else {
                throw RequestFailure("malformed", "content-length \(text)")
            }
            body = try readBytes(length)
        } else {
            isReusable = false
            while try fill(atEnd: true) {
                guard buffer.count - start <= Self.bodyLimit else {
                    throw RequestFailure("malformed", "endless body")
                }
            }
            body = Array(buffer[start...])
            start = buffer.count
        }
        return Response(status: status, body: body, isReusable: isReusable)
    }

    private func readChunks() throws(RequestFailure) -> [UInt8] {
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

    private func readLine(isFirst: Bool = false) throws(RequestFailure) -> String {
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

    private func readBytes(_ count: Int) throws(RequestFailure) -> [UInt8] {
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
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            guard Clock.now() < deadline else { throw RequestFailure("timeout", "no whole response in time") }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count > 0 {
                buffer += chunk[..<count]
                return true
            }
            let code = count == 0 ? 0 : errno
            if code == EINTR { continue }
            if code == EAGAIN { throw RequestFailure("timeout", "nothing received in time") }
            if count == 0, atEnd { return false }
            let how = code == 0 ? "end of stream" : "errno \(code)"
            guard isFirst, buffer.isEmpty else { throw RequestFailure("truncated", how) }
            throw RequestFailure(requests > 1 ? "stale" : "closed", "\(how) before a response")
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}

/// The monotonic clock, in nanoseconds.
enum Clock {
    static func now() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}
