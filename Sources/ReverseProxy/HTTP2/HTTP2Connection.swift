// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import CTLS
internal import Glibc
internal import Wire

/// A visitor's HTTP/2 connection (RFC 9113): takes requests out of it, each a `StreamConnection`, and puts answers in.
final class HTTP2Connection: Endpoint {
    let address: [UInt8]
    private let channel: TLSChannel
    private var session: OpaquePointer?
    private var streams: [Int32: StreamConnection] = [:]
    /// Requests whose head is on its way.
    private var heads: [Int32: RequestText] = [:]
    private var headDeadline: Int64 = .max
    private var gone: [StreamConnection] = []
    private var input = ByteQueue()
    private var output = ByteQueue()
    private var quietSince: Int64
    /// When it is said for good that no more requests are taken.
    private var farewell: Int64 = .max
    private var isLeaving = false

    override var visitor: [UInt8]? { address }
    override var restsSince: Int64? { streams.isEmpty && heads.isEmpty && output.isEmpty ? quietSince : nil }

    /// nil when there is no memory.
    init?(fd: Int32, address: [UInt8], channel: TLSChannel, worker: Worker) {
        self.address = address
        self.channel = channel
        quietSince = worker.now
        super.init(fd: fd, interest: Endpoint.input, worker: worker)
        var events = HTTP2Connection.events
        session = kinto_h2_create(
            &events, Unmanaged.passUnretained(self).toOpaque(), Limits.streams, Limits.streamWindow,
            UInt32(worker.limits.headerBytes))
        guard session != nil else { return nil }
        if worker.stopping { retire() }
    }

    deinit { kinto_h2_free(session) }

    // MARK: Events of the socket

    override func ready(_ events: UInt32) {
        if events & (Endpoint.input | Endpoint.broken) != 0 {
            switch channel.receive(&input, by: worker.scratch) {
            case .bytes:
                let result = input.withBytes { kinto_h2_receive(session, $0.baseAddress, $0.count) }
                input.drop(input.count)
                guard result == 0 else { return close() }
            case .end, .failed: return close()
            case .wouldBlock: break
            }
        }
        worker.turn(self)
    }

    /// Moves on what there is, then waits for the right things.
    override func turn() {
        let left = gone
        gone = []
        for stream in left { stream.vanish() }
        guard flush() else { return close() }
        if output.isEmpty, kinto_h2_is_over(session) != 0 { return leave() }
        want(output.isEmpty ? Endpoint.input : Endpoint.input | Endpoint.output)
        if !output.isEmpty {
            deadline = worker.now + Int64(worker.limits.stallTime)
        } else if !heads.isEmpty {
            deadline = headDeadline
        } else {
            deadline = streams.isEmpty ? quietSince + Int64(worker.limits.idleTime) : .max
        }
    }

    /// False when the connection is broken.
    private func flush() -> Bool {
        while true {
            var isDry = false
            while output.count < Limits.read {
                var bytes: UnsafePointer<UInt8>?
                let count = kinto_h2_send(session, &bytes)
                guard count >= 0 else { return false }
                isDry = count == 0
                guard count > 0, let bytes else { break }
                output.append(UnsafeBufferPointer(start: bytes, count: count))
            }
            guard channel.transmit(&output) else { return false }
            if isDry || !output.isEmpty { return true }
        }
    }

    override func expired() {
        if !output.isEmpty || !heads.isEmpty || isLeaving { return close() }
        goAway()
    }

    override func rest() {
        for stream in streams.values {
            if stream.isStalled {
                stream.stall()
            } else if stream.isOpen, stream.deadline <= worker.now {
                stream.expired()
            }
        }
        if farewell <= worker.now { goAway() }
        guard restsSince != nil, worker.now > quietSince + Limits.restTime else { return }
        input.release()
        output.release()
    }

    // MARK: Ends

    override func giveWay() { if restsSince != nil { goAway() } }

    /// Requests that the visitor sends before it knows are still taken (RFC 9113, 6.8).
    override func retire() {
        guard farewell == .max, !isLeaving else { return }
        kinto_h2_announce_end(session)
        farewell = worker.now + Limits.announceTime
        worker.turn(self)
    }

    override func closeIfIdle() { goAway() }

    override func endHastily() {
        for stream in streams.values where stream.isOpen { stream.endHastily() }
        goAway()
    }

    /// Takes no more requests; when those that are here are answered, it ends.
    private func goAway() {
        guard !isLeaving else { return }
        isLeaving = true
        farewell = .max
        kinto_h2_go_away(session)
        worker.turn(self)
    }

    private func leave() {
        channel.end()
        shutdown(fd, Int32(SHUT_WR))
        close()
    }

    override func close() {
        guard isOpen else { return }
        super.close()
        let left = streams.values
        streams = [:]
        for stream in left { stream.vanish() }
    }

    // MARK: For the streams

    func consume(_ stream: Int32, _ count: Int) {
        guard isOpen, count > 0 else { return }
        kinto_h2_consume(session, stream, count)
        worker.turn(self)
    }

    func resume(_ stream: Int32) {
        guard isOpen else { return }
        kinto_h2_resume(session, stream)
        worker.turn(self)
    }

    func reset(_ stream: Int32, _ code: UInt32) {
        guard isOpen else { return }
        kinto_h2_reset(session, stream, code)
        worker.turn(self)
    }

    func interim(_ stream: Int32, _ head: MessageHead) {
        AnswerFields(head).withFields { kinto_h2_interim(session, stream, $0.baseAddress, $0.count) }
        worker.turn(self)
    }

    /// False when it cannot be sent.
    func answer(_ stream: Int32, _ head: MessageHead, hasBody: Bool) -> Bool {
        worker.turn(self)
        return AnswerFields(head).withFields {
            kinto_h2_answer(session, stream, $0.baseAddress, $0.count, hasBody ? 1 : 0)
        } == 0
    }

    // MARK: Events of the protocol

    /// The connection that the library calls back for: it is in a call of that connection.
    private static func of(_ context: UnsafeMutableRawPointer?) -> HTTP2Connection? {
        context.map { Unmanaged<HTTP2Connection>.fromOpaque($0).takeUnretainedValue() }
    }

    private static let events = kinto_h2_events(
        begin: { of($0)?.begin($1) ?? 1 },
        field: { context, stream, name, nameLength, value, valueLength in
            of(context)?.add(
                stream, UnsafeBufferPointer(start: name, count: nameLength),
                UnsafeBufferPointer(start: value, count: valueLength)) ?? 1
        },
        head: { of($0)?.take($1, ended: $2 != 0) ?? 1 },
        data: { of($0)?.take($1, UnsafeBufferPointer(start: $2, count: $3)) },
        end: { of($0)?.streams[$1]?.end() },
        closed: { context, stream, _ in of(context)?.forget(stream) },
        body: { context, stream, buffer, size, end in
            guard let source = of(context)?.streams[stream] else { return 0 }
            let (count, isLast) = source.take(UnsafeMutableRawBufferPointer(start: buffer, count: size))
            end?.pointee = isLast ? 1 : 0
            return count
        })

    private func begin(_ stream: Int32) -> Int32 {
        if heads.isEmpty { headDeadline = worker.now + Int64(worker.limits.headerTime) }
        heads[stream] = RequestText(most: worker.limits.headerBytes)
        return 0
    }

    private func add(_ stream: Int32, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>)
        -> Int32
    {
        // Trailers are not passed on.
        heads[stream].map { _ in heads[stream]?.add(name, value) == true ? 0 : 1 } ?? 0
    }

    private func take(_ stream: Int32, ended: Bool) -> Int32 {
        guard let text = heads.removeValue(forKey: stream) else {
            if ended { streams[stream]?.end() }
            return 0
        }
        guard text.isTooLarge else {
            guard let (bytes, framing) = text.finish(ended: ended) else { return 1 }
            streams[stream] = StreamConnection(
                stream, of: self, text: bytes, framing: framing, isHead: text.isHead, ended: ended)
            return 0
        }
        let refused = StreamConnection(
            stream, of: self, text: ByteQueue(), framing: .none, isHead: text.isHead, ended: ended)
        streams[stream] = refused
        refused.refuse(431, "the head of the request is too large")
        return 0
    }

    private func take(_ stream: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
        guard let found = streams[stream] else { return consume(stream, bytes.count) }
        found.add(bytes)
    }

    private func forget(_ stream: Int32) {
        heads[stream] = nil
        guard let found = streams.removeValue(forKey: stream) else { return }
        gone.append(found)
        if streams.isEmpty { quietSince = worker.now }
        worker.turn(self)
    }
}
