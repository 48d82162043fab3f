// SPDX-License-Identifier: Apache-2.0
import Wire

@testable import ReverseProxy

/// Reads and writes on one message after the other as a `ClientConnection` does, without its sockets.
struct ProxyReader {
    enum Outcome: Equatable {
        case message
        case incomplete
        case refused
    }

    /// What came, and where the next message begins.
    private let bytes: [UInt8]
    private(set) var position = 0
    /// How many bytes the queue has got.
    private var delivered = 0
    private var input = ByteQueue()
    private var splits: SeededGenerator?

    /// The last message: as read, and as written on.
    private(set) var message = ReadMessage()
    private(set) var written: [UInt8] = []
    private(set) var host: [UInt8] = []
    private(set) var framing = MessageHead.Framing.none
    /// Whether its end was the end of the connection.
    private(set) var endsWithConnection = false

    /// - Parameter splits: where reads end; nil: all comes at once.
    init(_ bytes: [UInt8], splits: SeededGenerator?) {
        self.bytes = bytes
        self.splits = splits
    }

    /// False when all has come.
    private mutating func more() -> Bool {
        guard delivered < bytes.count else { return false }
        let left = bytes.count - delivered
        var count = left
        if splits != nil {
            let most = (splits?.next() ?? 0) % 4 == 0 ? left : 8
            count = Int((splits?.next() ?? 0) % UInt64(most)) + 1
        }
        count = min(count, left)
        input.append(bytes[delivered..<(delivered + count)])
        delivered += count
        return true
    }

    mutating func request() -> Outcome {
        while true {
            while input.count >= 2, input.bytes.prefix(2).elementsEqual([0x0D, 0x0A]) { input.drop(2) }
            if let end = MessageHead.end(in: input.bytes) {
                let head = Array(input.bytes[..<end])
                input.drop(head.count)
                guard head.count <= ProxyLimits().headerBytes else { return .refused }
                do { return try request(MessageHead(head, request: true)) } catch { return .refused }
            }
            if input.count > ProxyLimits().headerBytes { return .refused }
            if !more() { return .incomplete }
        }
    }

    private mutating func request(_ head: MessageHead) throws -> Outcome {
        let method = head.bytes[head.first]
        if ["CONNECT", "TRACE"].contains(where: { method.elementsEqual($0.utf8) }) { return .refused }
        let host = try RequestRewriter.host(head)
        let framing = try head.framing() ?? .none
        guard head.vias < Limits.vias else { return .refused }
        take(head)
        self.host = Array(host)
        self.framing = framing
        let isUpgrade =
            head.minor == 1 && head.connection.contains(.upgrade) && head.hasUpgrade
            && !head.lists("upgrade", "h2c")
        var out = ByteQueue()
        RequestRewriter.write(
            head, framing: framing, host: host, address: Array("127.0.0.1".utf8), isSecure: false,
            upgrade: isUpgrade, to: &out
        )
        return try body(framing, output: framing == .chunked ? .chunks : .plain, &out)
    }

    /// A final answer, after any number of interim ones.
    mutating func response(isHead: Bool, minor: Int) -> Outcome {
        while true {
            if let end = MessageHead.end(in: input.bytes) {
                let head = Array(input.bytes[..<end])
                input.drop(head.count)
                do {
                    let head = try MessageHead(head, request: false)
                    let status = head.bytes[head.second].reduce(0) { $0 * 10 + Int($1 - 0x30) }
                    // Not asked for here.
                    if status == 101 { return .refused }
                    if status < 200 {
                        try AnswerFraming.checkInterim(head)
                        position = delivered - input.count
                        continue
                    }
                    let framing = try AnswerFraming(head, status: status, isHead: isHead, minor: minor)
                    take(head)
                    self.framing = framing.body
                    endsWithConnection = framing.body == .untilClose
                    var out = ByteQueue()
                    ResponseRewriter.write(
                        head, framing: framing.told, keepsAlive: !framing.endsByClosing, upgrade: false,
                        to: &out)
                    return try body(framing.body, output: framing.output, &out)
                } catch { return .refused }
            }
            if input.count > ProxyLimits().headerBytes { return .refused }
            if !more() { return .incomplete }
        }
    }

    private mutating func take(_ head: MessageHead) {
        message = ReadMessage()
        message.first = Array(head.bytes[head.first])
        message.second = Array(head.bytes[head.second])
        if message.first.starts(with: "HTTP/".utf8) {
            message.first = message.second
            message.second = Array(head.bytes[head.third])
        }
        message.fields = head.fields.map {
            .init(name: head.bytes[$0.name].map(MessageHead.lower), value: Array(head.bytes[$0.value]))
        }
    }

    private mutating func body(
        _ framing: MessageHead.Framing, output: BodyFraming.Output, _ out: inout ByteQueue
    ) throws -> Outcome {
        var framed = BodyFraming(framing, output: output)
        // The same once more without its chunks: the body as such.
        var plain = BodyFraming(framing, output: .plain)
        var body = ByteQueue()
        while !framed.isDone {
            var copy = input
            try plain.move(&copy, to: &body)
            try framed.move(&input, to: &out)
            guard copy.count == input.count, plain.isDone == framed.isDone else { throw Differing() }
            if framed.isDone { break }
            if !more() {
                guard framed.endsWithConnection else { return .incomplete }
                framed.finish(to: &out)
            }
        }
        message.body = Array(body.bytes)
        written = Array(out.bytes)
        position = delivered - input.count
        return .message
    }

    struct Differing: Error {}
}
