// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// An answer that is the proxy's own.
struct OwnAnswer {
    let status: Int
    /// Whole lines of its head, besides those that frame it.
    var fields: String
    var body: [UInt8]

    /// Says in words why there is no other.
    /// - Parameter retry: whether it is worth asking again soon.
    init(_ status: Int, _ reason: String, retry: Bool = false) {
        self.status = status
        fields = "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
        if retry { fields += "Retry-After: 1\r\n" }
        if status == 405 { fields += "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" }
        body = Array("\(status) \(OwnAnswer.phrase(status)): \(reason)\n".utf8)
    }

    /// Of a service that is closed to visitors (RFC 9110, 15.6.4).
    init(_ closed: Maintenance) {
        self.init(503, "closed for maintenance")
        if let page = closed.page {
            body = Array(page.utf8)
            fields = "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
        }
        fields += "Retry-After: \(closed.retryAfter)\r\n"
    }

    /// Elsewhere, by the same method and with the same body (RFC 9110, 15.4.9).
    init(redirectTo location: String) {
        self.init(308, "see \(location)")
        fields += "Location: \(location)\r\n"
    }

    /// Elsewhere.
    /// - Parameter location: without control characters.
    init(_ status: Int, moved location: [UInt8]) {
        let place = String(decoding: location, as: UTF8.self)
        self.init(status, "see \(place)")
        fields = "Content-Type: text/plain; charset=utf-8\r\nLocation: \(place)\r\n"
    }

    /// The content of a file, as it is.
    init(file: [UInt8]) {
        status = 200
        fields = "Content-Type: application/octet-stream\r\n"
        body = file
    }

    /// - Parameter bodiless: without the body that it tells the length of, for HEAD.
    func write(keepsAlive: Bool, bodiless: Bool, to out: inout ByteQueue) {
        out.append("HTTP/1.1 \(status) \(OwnAnswer.phrase(status))\r\n".utf8)
        out.append("Content-Length: \(body.count)\r\n\(fields)".utf8)
        if !keepsAlive { out.append("Connection: close\r\n") }
        out.append("\r\n")
        if !bodiless { out.append(body) }
    }

    static func phrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 410: "Gone"
        case 412: "Precondition Failed"
        case 414: "URI Too Long"
        case 416: "Range Not Satisfiable"
        case 431: "Request Header Fields Too Large"
        case 451: "Unavailable For Legal Reasons"
        case 500: "Internal Server Error"
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
