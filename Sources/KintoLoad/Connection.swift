// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// One blocking client connection; every wait ends after half a minute.
final class Connection {
    struct Response {
        var status: Int
        var body: [UInt8]
        /// The connection serves another request.
        var isReusable: Bool
        /// Of an upgrade to WebSocket.
        var accept: String?
    }

    enum Idle { case open, closed, unsolicited }

    static let timeoutSeconds = 30

    let stream: Stream
    private var requests = 0

    init(to options: Options) throws(RequestFailure) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw RequestFailure("connect", "socket: errno \(errno)") }
        stream = Stream(descriptor)
        var limit = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
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

    /// What the server did to the connection since the last response; does not wait.
    func peek() -> Idle {
        if stream.isUnread { return .unsolicited }
        var byte: UInt8 = 0
        let count = recv(stream.descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        if count > 0 { return .unsolicited }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? .open : .closed
    }

    /// Every wait from here on ends in half a minute.
    func extendDeadline() { stream.deadline = Clock.now() + Int64(Self.timeoutSeconds) * 1_000_000_000 }

    /// Sends one request, in pieces with a pause between them, and reads its whole response.
    func exchange(_ pieces: [[UInt8]], pause: Int64 = 0) throws(RequestFailure) -> Response {
        extendDeadline()
        requests += 1
        stream.nameOfEnd = requests > 1 ? "stale" : "closed"
        for (number, piece) in pieces.enumerated() {
            if number > 0, pause > 0 { Clock.pause(nanoseconds: pause) }
            // A server that refuses early may have answered before it closed: the reading tells.
            guard stream.send(piece) else { break }
        }
        return try readResponse()
    }

    private func readResponse() throws(RequestFailure) -> Response {
        var status = 0
        var fields: [(name: String, value: String)] = []
        var isHTTP11 = true
        var answered = false
        repeat {
            let line = try stream.readLine(isFirst: !answered)
            answered = true
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), parts[1].utf8.count == 3,
                let code = Int(parts[1])
            else {
                throw RequestFailure("malformed", "status line \(line.prefix(80))")
            }
            (status, isHTTP11, fields) = (code, parts[0] == "HTTP/1.1", try stream.readFields())
        } while (100..<200).contains(status) && status != 101

        func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }
        var isReusable = isHTTP11 && !values("connection").contains { $0.lowercased() == "close" }
        var body: [UInt8] = []
        if status == 101 {
            isReusable = false
        } else if let coding = values("transfer-encoding").last {
            guard coding.lowercased() == "chunked", values("content-length").isEmpty else {
                throw RequestFailure("malformed", "transfer-encoding \(coding)")
            }
            body = try stream.readChunks()
        } else if status == 204 || status == 304 {
            body = []
        } else if let text = values("content-length").first {
            guard values("content-length").count == 1 else {
                throw RequestFailure("malformed", "several lengths")
            }
            body = try stream.readBody(length: text)
        } else {
            isReusable = false
            body = try stream.readRest()
        }
        return Response(
            status: status, body: body, isReusable: isReusable, accept: values("sec-websocket-accept").first)
    }
}
