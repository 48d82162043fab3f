// SPDX-License-Identifier: Apache-2.0

/// The head of an HTTP/2 request as one of HTTP/1.1, for those who serve requests of both (RFC 9113, 8.2 and 8.3). What
/// the text says is parsed again as strictly as what comes in as text.
struct RequestText {
    private var method: [UInt8]?
    private var path: [UInt8]?
    private var authority: [UInt8]?
    private var host: [UInt8]?
    private var length: [UInt8]?
    private var cookies: [UInt8] = []
    private var fields = ByteQueue()
    private var size = 0
    private let most: Int
    private(set) var isTooLarge = false

    /// - Parameter most: bytes that all names and values may have together.
    init(most: Int) { self.most = most }

    var isHead: Bool { method.map { $0.elementsEqual("HEAD".utf8) } ?? false }

    /// False when the request is malformed.
    mutating func add(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool {
        size += name.count + value.count + 4
        isTooLarge = isTooLarge || size > most
        guard !isTooLarge else { return true }
        guard value.allSatisfy(MessageHead.isText) else { return false }
        func isName(_ word: StaticString) -> Bool {
            name.count == word.utf8CodeUnitCount
                && name.elementsEqual(
                    UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        }
        func set(_ part: inout [UInt8]?) -> Bool {
            guard part == nil else { return false }
            part = Array(value)
            return true
        }
        guard name.first != UInt8(ascii: ":") else {
            if isName(":method") { return set(&method) }
            if isName(":path") { return set(&path) }
            if isName(":authority") { return set(&authority) }
            return isName(":scheme")
        }
        guard !name.isEmpty, name.allSatisfy({ MessageHead.isToken($0) && MessageHead.lower($0) == $0 })
        else { return false }
        if isName("host") { return set(&host) }
        if isName("content-length") { return set(&length) }
        if isName("cookie") {
            // In HTTP/2 they may come one by one (8.2.3).
            if !cookies.isEmpty { cookies += Array("; ".utf8) }
            cookies += value
            return true
        }
        if isName("te") { return value.elementsEqual("trailers".utf8) && append(name, value) }
        if isName("connection") || isName("keep-alive") || isName("proxy-connection")
            || isName("transfer-encoding") || isName("upgrade")
        {
            return false
        }
        return append(name, value)
    }

    private mutating func append(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>)
        -> Bool
    {
        fields.append(name)
        fields.append(": ")
        fields.append(value)
        fields.append("\r\n")
        return true
    }

    /// How the body is told to follow.
    enum Body { case none, length, chunks }

    /// The whole head, and how the body is to follow it; nil when the request is malformed.
    /// - Parameter ended: whether it has no body.
    func finish(ended: Bool) -> (ByteQueue, Body)? {
        guard let method, !method.isEmpty else { return nil }
        let isConnect = method.elementsEqual("CONNECT".utf8)
        guard let target = isConnect ? authority : path, !target.isEmpty, !target.contains(0x20),
            !method.contains(0x20)
        else { return nil }
        if let authority, let host, authority.map(MessageHead.lower) != host.map(MessageHead.lower) {
            return nil
        }
        guard let host = authority ?? host, !host.isEmpty else { return nil }
        var text = ByteQueue()
        text.append(method)
        text.append(" ")
        text.append(target)
        text.append(" HTTP/1.1\r\nHost: ")
        text.append(host)
        text.append("\r\n")
        if !cookies.isEmpty {
            text.append("Cookie: ")
            text.append(cookies)
            text.append("\r\n")
        }
        text.append(fields.bytes)
        let body: Body = length != nil ? .length : ended ? .none : .chunks
        if let length {
            text.append("Content-Length: ")
            text.append(length)
            text.append("\r\n")
        }
        if body == .chunks { text.append("Transfer-Encoding: chunked\r\n") }
        text.append("\r\n")
        return (text, body)
    }
}
