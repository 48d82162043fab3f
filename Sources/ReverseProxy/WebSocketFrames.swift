// SPDX-License-Identifier: Apache-2.0

/// Where the frames of a WebSocket begin and end (RFC 6455, 5.2), in the direction from the instance to the visitor:
/// a frame of the proxy's own may only stand between two.
struct WebSocketFrames {
    /// A Close frame with 1012, Service Restart: clients connect again.
    static let close: [UInt8] = [0x88, 0x02, 0x03, 0xF4]

    private var header: [UInt8] = []
    /// Of the payload, still to come.
    private var left: UInt64 = 0
    private var hasClosed = false

    /// Whether a frame may be put in now.
    var isBetween: Bool { header.isEmpty && left == 0 && !hasClosed }

    mutating func pass(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while !rest.isEmpty {
            if left > 0 {
                let count = Int(clamping: min(left, UInt64(rest.count)))
                rest.removeFirst(count)
                left -= UInt64(count)
                continue
            }
            header.append(rest.removeFirst())
            guard header.count >= 2 else { continue }
            let short = header[1] & 0x7F
            let size = 2 + (short == 126 ? 2 : short == 127 ? 8 : 0) + (header[1] & 0x80 != 0 ? 4 : 0)
            guard header.count == size else { continue }
            // Nothing may follow a Close frame.
            if header[0] & 0x0F == 8 { hasClosed = true }
            let long = short < 126 ? header[..<0] : header[2..<(short == 126 ? 4 : 10)]
            left = short < 126 ? UInt64(short) : long.reduce(0) { $0 << 8 | UInt64($1) }
            header.removeAll(keepingCapacity: true)
        }
    }
}
