// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// One request of an HTTP/2 connection: to all that serves requests it is a connection of its own, over which one comes
/// in as text.
final class StreamConnection: ClientConnection {
    private let connection: HTTP2Connection
    let identifier: Int32
    private let requestFraming: RequestText.Body
    /// What came of the request and was not read, and how many bytes of it count for the flow control.
    private var arrived: ByteQueue
    private var uncounted = 0
    private var hasEnded: Bool
    /// The visitor or the protocol ended it.
    private var isGone = false
    private var isAborted = false
    private var reader: AnswerReader
    /// What waits for its turn among the other streams.
    private var body = ByteQueue()
    private var hasAnswer = false
    /// Since when the visitor has taken nothing of it.
    private var waitingSince: Int64 = .max

    init(
        _ identifier: Int32, of connection: HTTP2Connection, text: ByteQueue, framing: RequestText.Body,
        isHead: Bool, ended: Bool
    ) {
        self.connection = connection
        self.identifier = identifier
        requestFraming = framing
        arrived = text
        hasEnded = ended
        reader = AnswerReader(isHead: isHead)
        super.init(fd: -1, port: nil, address: connection.address, worker: connection.worker)
        self.isHead = isHead
        worker.turn(self)
    }

    override var isSecure: Bool { true }
    override var canSplice: Bool { false }
    override var patience: Int { Limits.streamBuffer }

    // MARK: From the visitor

    func add(_ bytes: UnsafeBufferPointer<UInt8>) {
        uncounted += bytes.count
        guard isOpen else { return count() }
        if requestFraming == .chunks {
            guard !bytes.isEmpty else { return }
            arrived.append(String(bytes.count, radix: 16).utf8)
            arrived.append("\r\n")
            arrived.append(bytes)
            arrived.append("\r\n")
        } else {
            arrived.append(bytes)
        }
        worker.turn(self)
    }

    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        if requestFraming == .chunks { arrived.append("0\r\n\r\n") }
        worker.turn(self)
    }

    /// The stream is no more.
    func vanish() {
        isGone = true
        body = ByteQueue()
        if isOpen { visitorLeft() }
    }

    private func count() {
        connection.consume(identifier, uncounted)
        uncounted = 0
    }

    override func turn() {
        var events: UInt32 = 0
        if !arrived.isEmpty || hasEnded && !inputEnded { events |= Endpoint.input }
        if body.count < Limits.streamBuffer { events |= Endpoint.output }
        events &= interest
        if events != 0 { ready(events) }
    }

    override func receive(_ input: inout ByteQueue) -> ByteQueue.Outcome {
        guard !arrived.isEmpty else { return hasEnded ? .end : .wouldBlock }
        let taken = arrived.count
        input.append(arrived.bytes)
        arrived.drop(taken)
        count()
        if hasEnded { worker.turn(self) }
        return .bytes(taken)
    }

    // MARK: To the visitor

    override func transmit(_ output: inout ByteQueue) -> Bool {
        guard !isGone else { return false }
        do {
            reading: while body.count < Limits.streamBuffer {
                switch try reader.read(&output, body: &body) {
                case .interim(let head): connection.interim(identifier, head)
                case .head(let head, let hasBody):
                    hasAnswer = true
                    guard connection.answer(identifier, head, hasBody: hasBody) else { return false }
                case .body: connection.resume(identifier)
                case .done:
                    connection.resume(identifier)
                    break reading
                case .nothing: break reading
                }
            }
        } catch { return false }
        if !body.isEmpty, waitingSince == .max { waitingSince = worker.now }
        return true
    }

    /// Whether the visitor has not taken any of what waits for it for too long.
    var isStalled: Bool { !isGone && worker.now - Int64(worker.limits.stallTime) > waitingSince }

    /// Nobody waits for it any longer.
    func stall() {
        isAborted = true
        if isOpen { visitorLeft() } else { connection.reset(identifier, StreamConnection.cancel) }
    }

    /// The connection takes bytes of the body.
    /// - Returns: how many, and whether that is all.
    func take(_ buffer: UnsafeMutableRawBufferPointer) -> (count: Int, isLast: Bool) {
        let count = min(buffer.count, body.count)
        body.withBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        body.drop(count)
        waitingSince = body.isEmpty ? .max : worker.now
        let isLast = body.isEmpty && reader.isDone
        if isLast, !hasEnded { connection.reset(identifier, StreamConnection.noError) }
        if !isLast, body.count < Limits.streamBuffer / 2 { worker.turn(self) }
        return (count, isLast)
    }

    private static let noError: UInt32 = 0
    private static let internalError: UInt32 = 2
    private static let cancel: UInt32 = 8

    override func endOutput() { close() }

    override func abort() { isAborted = true }

    override func close() {
        guard isOpen else { return }
        isOpen = false
        arrived = ByteQueue()
        count()
        guard !isGone else { return }
        if !isAborted, hasAnswer, reader.endsWithConnection { reader.finish() }
        if reader.isDone, !isAborted {
            connection.resume(identifier)
        } else {
            connection.reset(identifier, StreamConnection.internalError)
        }
    }
}
