// SPDX-License-Identifier: Apache-2.0

/// Follows a message body to its end and re-frames it for the other side.
struct BodyFraming {
    struct Malformed: Error {}

    /// How the body is written on: as it is, or in chunks.
    enum Output { case plain, chunks }

    private enum State {
        case length(Int)
        case untilClose
        case chunkLine([UInt8])
        case chunkData(Int)
        case chunkEnd(Int)
        case trailers([UInt8])
        case done
    }
    private var state: State
    private let output: Output

    init(_ framing: MessageHead.Framing, output: Output) {
        self.output = output
        state =
            switch framing {
            case .none: .done
            case .length(let count): count == 0 ? .done : .length(count)
            case .chunked: .chunkLine([])
            case .untilClose: .untilClose
            }
    }

    var isDone: Bool { if case .done = state { true } else { false } }
    /// Whether the end of the connection is the end of the body.
    var endsWithConnection: Bool { if case .untilClose = state { true } else { false } }

    /// The bytes that are still to come and go on as they are; 0 when that is not known, or not so.
    var plainBytesLeft: Int {
        if case .length(let left) = state, output == .plain { left } else { 0 }
    }

    /// Bytes of it went on without passing here.
    mutating func skip(_ count: Int) {
        guard case .length(let left) = state else { return }
        state = count >= left ? .done : .length(left - count)
    }

    /// Moves what belongs to the body from `input` to `out`.
    mutating func move(_ input: inout ByteQueue, to out: inout ByteQueue) throws(Malformed) {
        while !input.isEmpty {
            switch state {
            case .done: return
            case .length(let left):
                let count = min(left, input.count)
                emit(input.bytes.prefix(count), to: &out)
                input.drop(count)
                state = count == left ? .done : .length(left - count)
                if count == left { end(&out, trailers: []) }
            case .untilClose:
                emit(input.bytes, to: &out)
                input.drop(input.count)
            case .chunkLine(let partial):
                guard let line = try line(partial, &input, limit: Limits.chunkLine, keep: { .chunkLine($0) })
                else { return }
                guard let size = ChunkLine.size(line) else { throw Malformed() }
                state = size == 0 ? .trailers([]) : .chunkData(size)
            case .chunkData(let left):
                let count = min(left, input.count)
                emit(input.bytes.prefix(count), to: &out)
                input.drop(count)
                state = count == left ? .chunkEnd(0) : .chunkData(left - count)
            case .chunkEnd(let seen):
                guard input.bytes.first == (seen == 0 ? 0x0D : 0x0A) else { throw Malformed() }
                input.drop(1)
                state = seen == 0 ? .chunkEnd(1) : .chunkLine([])
            case .trailers(let partial):
                try trailer(partial, &input, &out)
                if case .trailers = state, input.isEmpty { return }
            }
        }
    }

    /// The connection ended: the end of a body that has no other.
    mutating func finish(to out: inout ByteQueue) {
        end(&out, trailers: [])
        state = .done
    }

    private mutating func trailer(_ partial: [UInt8], _ input: inout ByteQueue, _ out: inout ByteQueue)
        throws(Malformed)
    {
        var block = partial
        while let byte = input.bytes.first {
            input.drop(1)
            block.append(byte)
            guard block.count <= Limits.trailers else { throw Malformed() }
            guard byte == 0x0A else { continue }
            guard block.count >= 2, block[block.count - 2] == 0x0D else { throw Malformed() }
            let isLast = block.count == 2 || block.suffix(4).elementsEqual([0x0D, 0x0A, 0x0D, 0x0A])
            if isLast {
                if block.count == 2 {
                    end(&out, trailers: [])
                    state = .done
                    return
                }
                // The length was told, by the chunks: a parser that heeds another one here reads another message.
                guard
                    let head = try? MessageHead(Array("HTTP/1.1 200 \r\n".utf8) + block, request: false),
                    !head.tellsLength
                else { throw Malformed() }
                // Without what frames or routes a message (RFC 9110, 6.5.1): some servers add trailers to the head.
                var fields = ByteQueue()
                HopByHop.copyFields(head, to: &fields) { $0.isOrigin }
                end(&out, trailers: fields.bytes)
                state = .done
                return
            }
        }
        state = .trailers(block)
    }

    /// A line without its CR LF, or nil with what there is kept in the state.
    private mutating func line(
        _ partial: [UInt8], _ input: inout ByteQueue, limit: Int, keep: ([UInt8]) -> State
    ) throws(Malformed) -> ArraySlice<UInt8>? {
        let newline = input.bytes.firstIndex(of: 0x0A)
        let part = newline.map { input.bytes[...$0] } ?? input.bytes
        guard partial.count + part.count <= limit else { throw Malformed() }
        let whole = partial + part
        input.drop(part.count)
        guard newline != nil else {
            state = keep(whole)
            return nil
        }
        guard whole.count >= 2, whole[whole.count - 2] == 0x0D, !whole.dropLast(2).contains(0x0D) else {
            throw Malformed()
        }
        return whole.dropLast(2)
    }

    private func emit(_ bytes: ArraySlice<UInt8>, to out: inout ByteQueue) {
        guard !bytes.isEmpty else { return }
        if output == .chunks {
            out.append(String(bytes.count, radix: 16).utf8)
            out.append("\r\n")
        }
        out.append(bytes)
        if output == .chunks { out.append("\r\n") }
    }

    private func end(_ out: inout ByteQueue, trailers: ArraySlice<UInt8>) {
        guard output == .chunks else { return }
        out.append("0\r\n")
        out.append(trailers)
        out.append("\r\n")
    }
}
