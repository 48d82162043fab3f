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

    static func own(
        _ status: Int, _ reason: String, keepsAlive: Bool, retry: Bool, bodiless: Bool,
        to out: inout ByteQueue
    ) {
        let body = "\(status) \(phrase(status)): \(reason)\n"
        out.append("HTTP/1.1 \(status) \(phrase(status))\r\nContent-Type: text/plain; charset=utf-8\r\n".utf8)
        out.append("Content-Length: \(body.utf8.count)\r\nCache-Control: no-store\r\n".utf8)
        if retry { out.append("Retry-After: 1\r\n") }
        if status == 405 { out.append("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n") }
        if !keepsAlive { out.append("Connection: close\r\n") }
        out.append("\r\n")
        if !bodiless { out.append(body.utf8) }
    }

    /// The answer of a service that is closed to visitors (RFC 9110, 15.6.4).
    static func closed(_ closed: Maintenance, keepsAlive: Bool, bodiless: Bool, to out: inout ByteQueue) {
        let body = closed.page ?? "503 Service Unavailable: closed for maintenance\n"
        out.append("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/")
        out.append(closed.page == nil ? "plain; charset=utf-8" : "html; charset=utf-8")
        out.append("\r\nContent-Length: \(body.utf8.count)\r\nCache-Control: no-store\r\n".utf8)
        out.append("Retry-After: \(closed.retryAfter)\r\n".utf8)
        if !keepsAlive { out.append("Connection: close\r\n") }
        out.append("\r\n")
        if !bodiless { out.append(body.utf8) }
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 414: "URI Too Long"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 508: "Loop Detected"
        default: "Error"
        }
    }
}
