// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// Writes answers for the visitor: an instance's, from what was parsed of it, and the proxy's own.
enum ResponseRewriter {
    static func write(
        _ head: MessageHead, framing: MessageHead.Framing, keepsAlive: Bool, upgrade: Bool,
        to out: inout ByteQueue
    ) {
        out.append("HTTP/1.1 ")
        out.append(head.bytes[head.second])
        out.append(" ")
        out.append(head.bytes[head.third])
        out.append("\r\n")
        HopByHop.copyFields(head, to: &out) { _ in false }
        switch framing {
        case .length(let count):
            out.append("Content-Length: ")
            out.append(String(count).utf8)
            out.append("\r\n")
        case .chunked: out.append("Transfer-Encoding: chunked\r\n")
        case .none, .untilClose: break
        }
        if upgrade {
            out.append("Connection: upgrade\r\nUpgrade: ")
            for (index, value) in head.values("upgrade").enumerated() {
                if index > 0 { out.append(", ") }
                out.append(value)
            }
            out.append("\r\n")
        } else if !keepsAlive {
            out.append("Connection: close\r\n")
        }
        out.append("\r\n")
    }
}
