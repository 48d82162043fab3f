// SPDX-License-Identifier: Apache-2.0

/// One request, and what its answer has to be.
struct Request {
    let identifier: String
    let isPost: Bool
    /// What is sent, one after the other.
    let pieces: [[UInt8]]
    /// Between two pieces, in nanoseconds.
    let pause: Int64
    /// The end of a good answer's body; nil: anything is good.
    private let answer: String?

    /// - Parameters:
    ///   - isLast: the connection is closed after it.
    ///   - seed: of the body.
    init(_ kind: Kind, _ options: Options, identifier: String, isPost: Bool, isLast: Bool, seed: UInt64) {
        self.identifier = identifier
        self.isPost = isPost
        pause = kind == .upload ? 100_000_000 : 0
        let path = kind == .slow ? "/slow" : options.path
        var head =
            "\(isPost ? "POST" : "GET") \(path) HTTP/1.1\r\nHost: \(options.host)\r\nX-Load-Id: \(identifier)\r\n"
        if isLast { head += "Connection: close\r\n" }
        if isPost { head += "Content-Type: application/octet-stream\r\n" }
        let body: [UInt8] =
            switch kind {
            case .simple: [UInt8](repeating: UInt8(ascii: "x"), count: isPost ? 512 : 0)
            case .upload: Payload.bytes(50_000, seed: seed)
            default: isPost ? Payload.bytes(Payload.size(seed: seed), seed: seed) : []
            }
        switch kind {
        case .chunked:
            // From one byte each to more than any buffer holds; never so many that the framing is all the work.
            let size = max([1, 100, 4096, 30_000, 70_000, 300_000][Int(seed % 6)], body.count / 64)
            let coded = Self.chunks(body, of: size)
            pieces = [Array((head + "Transfer-Encoding: chunked\r\n\r\n").utf8) + coded.joined()]
        case .upload where seed.isMultiple(of: 2):
            pieces = [Array((head + "Transfer-Encoding: chunked\r\n\r\n").utf8)] + Self.chunks(body, of: 6000)
        case .upload:
            let parts = stride(from: 0, to: body.count, by: 5000).map {
                Array(body[$0..<min($0 + 5000, body.count)])
            }
            pieces = [Array((head + "Content-Length: \(body.count)\r\n\r\n").utf8)] + parts
        default:
            let length = isPost ? "Content-Length: \(body.count)\r\n" : ""
            pieces = [Array((head + length + "\r\n").utf8) + body]
        }
        answer = kind == .simple ? nil : " sum=\(Payload.checksum(body)) id=\(identifier)\n"
    }

    /// - Throws: ``RequestFailure`` when it is another answer than this request's.
    func check(_ response: Connection.Response) throws(RequestFailure) {
        guard (200..<300).contains(response.status) else {
            throw RequestFailure(
                "status-\(response.status)", String(decoding: response.body.prefix(200), as: UTF8.self))
        }
        guard let answer else { return }
        let text = String(decoding: response.body, as: UTF8.self)
        guard text.hasPrefix("release="), text.hasSuffix(answer) else {
            throw RequestFailure("mixed-up", "\(text.prefix(200)) instead of \(answer)")
        }
    }

    private static func chunks(_ body: [UInt8], of size: Int) -> [[UInt8]] {
        stride(from: 0, to: body.count, by: size).map { start in
            let part = body[start..<min(start + size, body.count)]
            return Array("\(String(part.count, radix: 16))\r\n".utf8) + part + [13, 10]
        } + [Array("0\r\n\r\n".utf8)]
    }
}
