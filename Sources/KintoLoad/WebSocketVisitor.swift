// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// WebSockets one after the other, each for some seconds; every frame has to come back as it was.
struct WebSocketVisitor {
    private static let interval: Int64 = 100_000_000

    let options: Options
    let index: Int
    /// On ``Clock``.
    let start: Int64
    let stop: StopSignal

    func run(_ tally: inout Tally) {
        var seed = UInt64(index) << 32 | 1
        // Not all in the same moment.
        var due = start + Int64(index) * Self.interval / 12
        while stop.waits(until: due) {
            do throws(RequestFailure) {
                due = try talk(from: due, &seed, &tally)
            } catch {
                tally.fail(error, identifier: "socket-\(index)", at: Clock.now() - start)
                tally.note(options, .socket, due: due, latency: nil, nil)
                due = max(due, Clock.now()) + Self.interval
            }
        }
    }

    /// - Returns: When the next one is due.
    private func talk(
        from first: Int64, _ seed: inout UInt64, _ tally: inout Tally
    ) throws(RequestFailure) -> Int64 {
        var due = first
        let connection = try Connection(to: options)
        let key = SHA1.base64(Payload.bytes(16, seed: Payload.random(&seed)))
        let response = try connection.exchange([
            Array(
                ("GET /socket HTTP/1.1\r\nHost: \(options.host)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n\r\n").utf8)
        ])
        guard response.status == 101 else {
            throw RequestFailure(
                "status-\(response.status)", String(decoding: response.body.prefix(200), as: UTF8.self))
        }
        guard response.accept == SHA1.accept(key: key) else {
            throw RequestFailure("mixed-up", "the accept of another key")
        }
        finish(due, &tally)
        for number in 0..<(20 + index % 5 * 10) {
            due += Self.interval
            guard stop.waits(until: due) else { break }
            let size = [40, 0, 125, 126, 3000, 40, 65_535, 200, 65_536, 40][number % 10]
            let frame = WebSocketFrame(
                opcode: number.isMultiple(of: 2) ? WebSocketFrame.binary : WebSocketFrame.text,
                payload: number.isMultiple(of: 2)
                    ? Payload.bytes(size, seed: Payload.random(&seed))
                    : [UInt8](repeating: UInt8(97 + number % 26), count: size))
            try echo(frame, connection, mask: UInt32(truncatingIfNeeded: Payload.random(&seed)))
            finish(due, &tally)
        }
        let goodbye = WebSocketFrame(opcode: WebSocketFrame.close, payload: [0x03, 0xE8])
        try echo(goodbye, connection, mask: UInt32(truncatingIfNeeded: Payload.random(&seed)))
        guard try connection.stream.readRest().isEmpty else {
            throw RequestFailure("unsolicited", "bytes after the close frame")
        }
        return due + Self.interval
    }

    private func echo(
        _ frame: WebSocketFrame, _ connection: Connection, mask: UInt32
    ) throws(RequestFailure) {
        connection.extendDeadline()
        _ = connection.stream.send(frame.bytes(mask: mask))
        let back = try WebSocketFrame.read(from: connection.stream, isMasked: false)
        guard back == frame else {
            throw RequestFailure(
                "mixed-up",
                "opcode \(back.opcode) with \(back.payload.count) bytes for \(frame.opcode) with \(frame.payload.count)"
            )
        }
    }

    private func finish(_ due: Int64, _ tally: inout Tally) {
        let latency = Clock.now() - due
        tally.succeed(release: nil, isOrdered: false, after: latency)
        tally.note(options, .socket, due: due, latency: latency, nil)
    }
}
