// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// The head of a request or response, strictly parsed (RFC 9112): what two parsers could read in two ways is refused.
struct MessageHead {
    struct Field {
        let name: Range<Int>
        let value: Range<Int>
        let kind: FieldName
        /// The whole line with its end, when it stands as it would be written: `name: value`.
        let line: Range<Int>?
    }

    /// What the Connection fields list.
    struct ConnectionOptions: OptionSet {
        let rawValue: UInt8
        static let close = ConnectionOptions(rawValue: 1)
        static let upgrade = ConnectionOptions(rawValue: 2)
        /// Names of fields that are for one hop only.
        static let others = ConnectionOptions(rawValue: 4)
    }

    /// Why a head is refused: the status to answer, and a reason for people.
    struct Refusal: Error, Equatable {
        let status: Int
        let reason: String
    }

    /// How the length of the body is told.
    enum Framing: Equatable {
        case none
        case length(Int)
        case chunked
        case untilClose
    }

    let bytes: [UInt8]
    /// The three parts of the first line.
    let first: Range<Int>
    let second: Range<Int>
    let third: Range<Int>
    let fields: [Field]
    /// 0 or 1: HTTP/1.x
    let minor: Int

    /// The end of a head in `input` (after the empty line); nil when it is not complete. Looks for the only line end
    /// there is, CR LF.
    static func end(in input: ArraySlice<UInt8>) -> Int? {
        var index = input.startIndex
        while let newline = input[index...].firstIndex(of: 0x0A) {
            if newline - input.startIndex >= 3, input[newline - 1] == 0x0D, input[newline - 2] == 0x0A,
                input[newline - 3] == 0x0D
            {
                return newline + 1
            }
            index = newline + 1
        }
        return nil
    }

    /// The Host fields, those that tell a length, and those that tell a coding.
    private(set) var hosts: [Range<Int>] = []
    private var lengths: [Range<Int>] = []
    private var codings: [Range<Int>] = []
    /// How many proxies the Via fields list.
    private(set) var vias = 0
    private(set) var connection: ConnectionOptions = []
    private(set) var wantsTrailers = false
    private(set) var hasUpgrade = false

    /// - Parameter bytes: a whole head with its empty line.
    init(_ bytes: [UInt8], request: Bool, limits: ProxyLimits = ProxyLimits()) throws(Refusal) {
        self.bytes = bytes
        let lines = try bytes.withUnsafeBufferPointer { text throws(Refusal) in
            try MessageHead.firstLine(text, request: request, most: limits.requestLine)
        }
        (first, second, third, minor) = (lines.first, lines.second, lines.third, lines.minor)
        fields = try bytes.withUnsafeBufferPointer { text throws(Refusal) in
            try MessageHead.fields(
                text, from: lines.next, request: request, most: limits.headerFields)
        }
        for field in fields where field.kind != .other { note(field) }
    }

    private mutating func note(_ field: Field) {
        switch field.kind {
        case .host: hosts.append(field.value)
        case .contentLength: lengths.append(field.value)
        case .transferEncoding: codings.append(field.value)
        case .via: vias += bytes[field.value].split(separator: UInt8(ascii: ",")).count
        case .upgrade: hasUpgrade = hasUpgrade || !field.value.isEmpty
        case .te: wantsTrailers = wantsTrailers || lists("te", "trailers")
        case .connection:
            for option in bytes[field.value].split(separator: UInt8(ascii: ",")) {
                let word = MessageHead.trim(option)
                if MessageHead.same(word, "close") {
                    connection.insert(.close)
                } else if MessageHead.same(word, "upgrade") {
                    connection.insert(.upgrade)
                } else if !MessageHead.same(word, "keep-alive") {
                    connection.insert(.others)
                }
            }
        default: break
        }
    }

    private struct FirstLine {
        var first: Range<Int>
        var second: Range<Int>
        var third: Range<Int>
        var minor: Int
        /// Where the fields begin.
        var next: Int
    }

    private static func firstLine(
        _ text: UnsafeBufferPointer<UInt8>, request: Bool, most: Int
    ) throws(Refusal) -> FirstLine {
        let bad = request ? 400 : 502
        var end = 0
        while end < text.count, text[end] != 0x0D {
            // The other line ends there might be, and NUL.
            if text[end] == 0x0A || text[end] == 0 { throw Refusal(status: bad, reason: "no line end") }
            end += 1
        }
        guard end + 1 < text.count, text[end + 1] == 0x0A else {
            throw Refusal(status: bad, reason: "no line end")
        }
        guard end <= most else {
            throw Refusal(status: request ? 414 : 502, reason: "first line too long")
        }
        guard let space = text[..<end].firstIndex(of: 0x20) else {
            throw Refusal(status: bad, reason: "malformed first line")
        }
        let second: Range<Int>
        let third: Range<Int>
        if request {
            guard let last = text[(space + 1)..<end].firstIndex(of: 0x20) else {
                throw Refusal(status: 400, reason: "malformed request line")
            }
            second = (space + 1)..<last
            third = (last + 1)..<end
            guard space > 0, text[..<space].allSatisfy(MessageHead.isToken), !second.isEmpty,
                // Printable ASCII; a fragment is never sent (RFC 9112, 3.2), so that parsers differ on what it means.
                text[second].allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") })
            else { throw Refusal(status: 400, reason: "malformed request line") }
        } else {
            let codeEnd = text[(space + 1)..<end].firstIndex(of: 0x20) ?? end
            second = (space + 1)..<codeEnd
            third = min(codeEnd + 1, end)..<end
            guard second.count == 3, text[second].allSatisfy({ (0x30...0x39).contains($0) }),
                text[second.lowerBound] != 0x30, text[third].allSatisfy(MessageHead.isText)
            else { throw Refusal(status: 502, reason: "malformed status line") }
        }
        let version = UnsafeBufferPointer(rebasing: text[request ? third : 0..<space])
        // "HTTP/" is compared with its case: RFC 9112, 2.3.
        guard version.count == 8, version[0] == 0x48, version[1] == 0x54, version[2] == 0x54,
            version[3] == 0x50, version[4] == 0x2F, version[5] == 0x31, version[6] == 0x2E,
            version[7] == 0x30 || version[7] == 0x31
        else { throw Refusal(status: request ? 505 : 502, reason: "not HTTP/1.0 or HTTP/1.1") }
        return FirstLine(
            first: 0..<space, second: second, third: third, minor: Int(version[7] - 0x30), next: end + 2)
    }

    private static func fields(
        _ text: UnsafeBufferPointer<UInt8>, from start: Int, request: Bool, most: Int
    ) throws(Refusal) -> [Field] {
        let bad = request ? 400 : 502
        var fields: [Field] = []
        fields.reserveCapacity(12)
        var at = start
        while at < text.count {
            if text[at] == 0x0D {
                guard at + 1 < text.count, text[at + 1] == 0x0A else {
                    throw Refusal(status: bad, reason: "malformed line end")
                }
                break
            }
            guard fields.count < most else {
                throw Refusal(status: request ? 431 : 502, reason: "too many header fields")
            }
            var colon = at
            while colon < text.count, isToken(text[colon]) { colon += 1 }
            guard colon > at, colon < text.count, text[colon] == UInt8(ascii: ":") else {
                throw Refusal(status: bad, reason: "malformed header field")
            }
            var low = colon + 1
            while low < text.count, text[low] == 0x20 || text[low] == 9 { low += 1 }
            var end = low
            while end < text.count, isText(text[end]) { end += 1 }
            guard end + 1 < text.count, text[end] == 0x0D, text[end + 1] == 0x0A else {
                throw Refusal(status: bad, reason: "control character or line end in a header field")
            }
            var high = end
            while high > low, text[high - 1] == 0x20 || text[high - 1] == 9 { high -= 1 }
            let isAsWritten = high == end && low == colon + 2 && text[colon + 1] == 0x20
            fields.append(
                Field(
                    name: at..<colon, value: low..<high,
                    kind: FieldName(UnsafeBufferPointer(rebasing: text[at..<colon])),
                    line: isAsWritten ? at..<(end + 2) : nil))
            at = end + 2
        }
        return fields
    }

    /// What a field's value is made of: no control character but the tab.
    @inline(__always)
    static func isText(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 9 }

    /// The token characters of RFC 9110, 5.6.2, one bit each.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        byte < 64
            ? (0x03FF_6CFA_0000_0000 as UInt64) >> UInt64(byte) & 1 == 1
            : byte < 128 && (0x57FF_FFFF_C7FF_FFFE as UInt64) >> UInt64(byte & 63) & 1 == 1
    }

    func isNamed(_ field: Field, _ name: StaticString) -> Bool { MessageHead.same(bytes[field.name], name) }

    func values(_ name: StaticString) -> [ArraySlice<UInt8>] {
        fields.filter { isNamed($0, name) }.map { bytes[$0.value] }
    }

    /// Whether a comma-separated field holds the word.
    func lists(_ name: StaticString, _ word: StaticString) -> Bool {
        values(name).contains { value in
            value.split(separator: UInt8(ascii: ",")).contains {
                MessageHead.same(MessageHead.trim($0), word)
            }
        }
    }

    /// Without regard to case.
    static func begins(_ value: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
        same(value.prefix(word.utf8CodeUnitCount), word)
    }

    static func trim(_ slice: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var slice = slice
        while let first = slice.first, first == 0x20 || first == 9 { slice.removeFirst() }
        while let last = slice.last, last == 0x20 || last == 9 { slice.removeLast() }
        return slice
    }

    /// ASCII comparison without regard to case; `word` in lower case.
    static func same(_ slice: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
        word.withUTF8Buffer { buffer in
            buffer.count == slice.count && zip(slice, buffer).allSatisfy { lower($0) == $1 }
        }
    }

    static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    /// Whether it holds a field that tells a length.
    var tellsLength: Bool { !lengths.isEmpty || !codings.isEmpty }

    /// Transfer-Encoding and Content-Length as one value, nil when neither is there.
    func framing() throws(Refusal) -> Framing? {
        let bad = first.lowerBound == 0 && bytes[first].starts(with: "HTTP/".utf8) ? 502 : 400
        if !codings.isEmpty {
            guard lengths.isEmpty else {
                throw Refusal(status: bad, reason: "both Transfer-Encoding and Content-Length")
            }
            guard codings.count == 1, MessageHead.same(bytes[codings[0]], "chunked"), minor == 1 else {
                throw Refusal(status: bad == 400 ? 501 : 502, reason: "unknown transfer coding")
            }
            return .chunked
        }
        guard let range = lengths.first else { return nil }
        let length = bytes[range]
        guard lengths.count == 1, !length.isEmpty, length.count <= 18,
            length.allSatisfy({ (0x30...0x39).contains($0) })
        else {
            throw Refusal(status: bad, reason: "malformed Content-Length")
        }
        return .length(length.reduce(0) { $0 * 10 + Int($1 - 0x30) })
    }
}
