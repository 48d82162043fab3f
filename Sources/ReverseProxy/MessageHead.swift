// SPDX-License-Identifier: Apache-2.0

/// The head of a request or response, strictly parsed (RFC 9112): what two parsers could read in two ways is refused.
struct MessageHead {
    struct Field {
        let name: Range<Int>
        let value: Range<Int>
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

    /// - Parameter bytes: a whole head with its empty line.
    init(_ bytes: [UInt8], request: Bool) throws(Refusal) {
        let bad = request ? 400 : 502
        self.bytes = bytes
        guard let lineEnd = MessageHead.lineEnd(bytes, from: 0) else {
            throw Refusal(status: bad, reason: "no line end")
        }
        guard lineEnd <= Limits.requestLine else {
            throw Refusal(status: request ? 414 : 502, reason: "first line too long")
        }
        guard let space = bytes[..<lineEnd].firstIndex(of: 0x20) else {
            throw Refusal(status: bad, reason: "malformed first line")
        }
        first = 0..<space
        if request {
            guard let last = bytes[(space + 1)..<lineEnd].firstIndex(of: 0x20) else {
                throw Refusal(status: 400, reason: "malformed request line")
            }
            second = (space + 1)..<last
            third = (last + 1)..<lineEnd
            guard !first.isEmpty, bytes[first].allSatisfy(MessageHead.isToken), !second.isEmpty,
                bytes[second].allSatisfy({ $0 > 0x20 && $0 != 0x7F })
            else { throw Refusal(status: 400, reason: "malformed request line") }
        } else {
            let codeEnd = bytes[(space + 1)..<lineEnd].firstIndex(of: 0x20) ?? lineEnd
            second = (space + 1)..<codeEnd
            third = min(codeEnd + 1, lineEnd)..<lineEnd
            guard second.count == 3, bytes[second].allSatisfy({ (0x30...0x39).contains($0) }),
                bytes[second.lowerBound] != 0x30,
                bytes[third].allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 9 })
            else { throw Refusal(status: 502, reason: "malformed status line") }
        }
        let version = bytes[request ? third : first]
        if version.elementsEqual("HTTP/1.1".utf8) {
            minor = 1
        } else if version.elementsEqual("HTTP/1.0".utf8) {
            minor = 0
        } else {
            throw Refusal(status: request ? 505 : 502, reason: "not HTTP/1.0 or HTTP/1.1")
        }

        var fields: [Field] = []
        var at = lineEnd + 2
        while at < bytes.count {
            guard let end = MessageHead.lineEnd(bytes, from: at) else {
                throw Refusal(status: bad, reason: "malformed line end")
            }
            if end == at { break }
            guard fields.count < Limits.headers else {
                throw Refusal(status: request ? 431 : 502, reason: "too many header fields")
            }
            guard let colon = bytes[at..<end].firstIndex(of: UInt8(ascii: ":")), colon > at,
                bytes[at..<colon].allSatisfy(MessageHead.isToken)
            else { throw Refusal(status: bad, reason: "malformed header field") }
            var (low, high) = (colon + 1, end)
            while low < high, bytes[low] == 0x20 || bytes[low] == 9 { low += 1 }
            while high > low, bytes[high - 1] == 0x20 || bytes[high - 1] == 9 { high -= 1 }
            guard bytes[low..<high].allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 9 }) else {
                throw Refusal(status: bad, reason: "control character in a header field")
            }
            fields.append(Field(name: at..<colon, value: low..<high))
            at = end + 2
        }
        self.fields = fields
    }

    /// The index of the CR of the next CR LF; nil if a lone CR, LF or NUL comes first.
    private static func lineEnd(_ bytes: [UInt8], from start: Int) -> Int? {
        for index in start..<bytes.count {
            switch bytes[index] {
            case 0x0D: return index + 1 < bytes.count && bytes[index + 1] == 0x0A ? index : nil
            case 0x0A, 0: return nil
            default: break
            }
        }
        return nil
    }

    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"),
            UInt8(ascii: "_"),
            UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
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

    /// Transfer-Encoding and Content-Length as one value, nil when neither is there.
    func framing() throws(Refusal) -> Framing? {
        let bad = first.lowerBound == 0 && bytes[first].starts(with: "HTTP/".utf8) ? 502 : 400
        let codings = values("transfer-encoding")
        let lengths = values("content-length")
        if !codings.isEmpty {
            guard lengths.isEmpty else {
                throw Refusal(status: bad, reason: "both Transfer-Encoding and Content-Length")
            }
            guard codings.count == 1, MessageHead.same(codings[0], "chunked"), minor == 1 else {
                throw Refusal(status: bad == 400 ? 501 : 502, reason: "unknown transfer coding")
            }
            return .chunked
        }
        guard let length = lengths.first else { return nil }
        guard lengths.count == 1, !length.isEmpty, length.count <= 18,
            length.allSatisfy({ (0x30...0x39).contains($0) })
        else {
            throw Refusal(status: bad, reason: "malformed Content-Length")
        }
        return .length(length.reduce(0) { $0 * 10 + Int($1 - 0x30) })
    }
}
