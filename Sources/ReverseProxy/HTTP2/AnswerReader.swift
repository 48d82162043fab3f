// SPDX-License-Identifier: Apache-2.0

/// Reads an answer as it is written for HTTP/1.1 back into what HTTP/2 sends of it.
struct AnswerReader {
    enum Part {
        case interim(MessageHead)
        /// - Parameter hasBody: whether anything follows.
        case head(MessageHead, hasBody: Bool)
        /// The bytes of the body that were there are in the queue now.
        case body
        case done
        /// More is needed.
        case nothing
    }

    private enum State {
        case head
        case body(BodyFraming)
        case done
    }
    private var state = State.head
    /// Whether HEAD was asked: what the head says about a body is not meant.
    let isHead: Bool

    init(isHead: Bool) { self.isHead = isHead }

    var isDone: Bool { if case .done = state { true } else { false } }
    /// Whether the end of what is written is the end of the answer.
    var endsWithConnection: Bool {
        if case .body(let body) = state { body.endsWithConnection } else { false }
    }

    mutating func finish() { state = .done }

    mutating func read(_ input: inout ByteQueue, body out: inout ByteQueue) throws -> Part {
        switch state {
        case .head:
            guard let end = MessageHead.end(in: input.bytes) else { return .nothing }
            let bytes = Array(input.bytes[..<end])
            input.drop(bytes.count)
            let head = try MessageHead(bytes, request: false)
            let status = head.bytes[head.second].reduce(0) { $0 * 10 + Int($1 - 0x30) }
            if status < 200 { return .interim(head) }
            let told = try head.framing() ?? .untilClose
            let framing: MessageHead.Framing = isHead || status == 204 || status == 304 ? .none : told
            let body = BodyFraming(framing, output: .plain)
            state = body.isDone ? .done : .body(body)
            return .head(head, hasBody: !body.isDone)
        case .body(var body):
            let before = out.count
            try body.move(&input, to: &out)
            state = body.isDone ? .done : .body(body)
            return out.count > before ? .body : isDone ? .done : .nothing
        case .done:
            input.drop(input.count)
            return .done
        }
    }
}
