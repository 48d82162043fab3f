// SPDX-License-Identifier: Apache-2.0

/// One unfragmented frame (RFC 6455, 5.2).
struct WebSocketFrame: Equatable {
    static let text: UInt8 = 1, binary: UInt8 = 2, close: UInt8 = 8
    private static let limit: UInt64 = 1 << 20

    var opcode: UInt8
    var payload: [UInt8]

    /// - Parameter mask: as a client's frames have it; a server's have none.
    func bytes(mask: UInt32?) -> [UInt8] {
        let count = payload.count
        let flag: UInt8 = mask == nil ? 0 : 0x80
        var bytes = [0x80 | opcode]
        switch count {
        case ..<126: bytes.append(flag | UInt8(count))
        case ..<65_536: bytes += [flag | 126, UInt8(count >> 8), UInt8(count & 255)]
        default: bytes += [flag | 127] + (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
        }
        guard let mask else { return bytes + payload }
        let key = (0..<4).map { UInt8(truncatingIfNeeded: mask >> (24 - 8 * UInt32($0))) }
        return bytes + key + Self.masked(payload, key)
    }

    /// - Parameter isMasked: what the other side's frames have to be.
    static func read(from stream: Stream, isMasked: Bool) throws(RequestFailure) -> WebSocketFrame {
        let head = try stream.readBytes(2)
        guard head[0] & 0xF0 == 0x80, (head[1] & 0x80 != 0) == isMasked else {
            throw RequestFailure("malformed", "frame \(head[0]) \(head[1])")
        }
        var length = UInt64(head[1] & 0x7F)
        if length > 125 {
            let smallest: UInt64 = length == 126 ? 126 : 65_536
            length = try stream.readBytes(length == 126 ? 2 : 8).reduce(0) { $0 << 8 | UInt64($1) }
            guard length >= smallest, length <= limit else {
                throw RequestFailure("malformed", "frame of \(length) bytes")
            }
        }
        let key = isMasked ? try stream.readBytes(4) : []
        let payload = try stream.readBytes(Int(length))
        return WebSocketFrame(opcode: head[0] & 15, payload: isMasked ? masked(payload, key) : payload)
    }

    private static func masked(_ payload: [UInt8], _ key: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: payload.count) { buffer, written in
            for index in payload.indices { buffer[index] = payload[index] ^ key[index & 3] }
            written = payload.count
        }
    }
}
