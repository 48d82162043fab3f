// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// One connection of the origin's, request after request.
struct OriginConnection {
    private let origin: Origin
    private let stream: Stream

    init(_ origin: Origin, _ stream: Stream) {
        self.origin = origin
        self.stream = stream
    }

    func run() {
        do throws(RequestFailure) {
            while try serve() {}
        } catch {
            // The other side is gone, or does not speak HTTP: nobody is there to be told.
        }
        // Its number may be another connection's soon.
        origin.begin(stream.descriptor)
    }

    /// - Returns: Whether another request may come.
    private func serve() throws(RequestFailure) -> Bool {
        origin.wait(stream.descriptor)
        let words = try stream.readLine(isFirst: true).split(separator: " ")
        origin.begin(stream.descriptor)
        let fields = try stream.readFields()
        guard words.count == 3 else { throw RequestFailure("malformed", "request line") }
        func value(_ name: String) -> String? { fields.last { $0.name == name }?.value }

        if let key = value("sec-websocket-key") {
            try echo(key)
            return false
        }
        let body =
            value("transfer-encoding") == nil
            ? try stream.readBody(length: value("content-length") ?? "0") : try stream.readChunks()
        let identifier = value("x-load-id") ?? "-"
        if words[1] == "/slow" { Clock.pause(nanoseconds: 2_000_000_000) }
        if words[0] == "POST", origin.log >= 0 {
            let line = Array("\(identifier)\n".utf8)
            guard write(origin.log, line, line.count) == line.count else {
                throw RequestFailure("log", "errno \(errno)")
            }
        }
        let text = "release=\(origin.release) sum=\(Payload.checksum(body)) id=\(identifier)\n"
        let isLast = origin.isStopping || value("connection")?.lowercased() == "close"
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)\r\n"
            + (isLast ? "Connection: close\r\n\r\n" : "\r\n")
        return stream.send(Array((head + (words[0] == "HEAD" ? "" : text)).utf8)) && !isLast
    }

    private func echo(_ key: String) throws(RequestFailure) {
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Accept: \(SHA1.accept(key: key))\r\n\r\n"
        var goesOn = stream.send(Array(head.utf8))
        while goesOn {
            let frame = try WebSocketFrame.read(from: stream, isMasked: true)
            goesOn = stream.send(frame.bytes(mask: nil)) && frame.opcode != WebSocketFrame.close
        }
    }
}
