// SPDX-License-Identifier: Apache-2.0

/// Reads what the proxy wrote: the simplest parser there can be, of the one form that the proxy writes. All else it
/// refuses.
enum PlainReader {
    struct Malformed: Error {}

    /// The one message that the bytes are.
    /// - Parameter isHead: for a response, whether HEAD was asked; nil: it is a request.
    static func read(_ bytes: [UInt8], isHead: Bool? = nil) throws(Malformed) -> ReadMessage {
        var rest = bytes[...]
        let words = try line(&rest).split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count == 3 else { throw Malformed() }
        var message = ReadMessage()
        let version = Array("HTTP/1.1".utf8)
        if isHead == nil {
            guard words[2].elementsEqual(version) else { throw Malformed() }
            (message.first, message.second) = (Array(words[0]), Array(words[1]))
        } else {
            guard words[0].elementsEqual(version) else { throw Malformed() }
            (message.first, message.second) = (Array(words[1]), Array(words[2]))
        }
        message.fields = try fields(&rest)
        let lengths = message.values("content-length")
        let codings = message.values("transfer-encoding")
        guard lengths.count + codings.count <= 1 else { throw Malformed() }
        let isBodiless =
            isHead == true
            || isHead != nil
                && (message.first.first == 0x31
                    || [[0x32, 0x30, 0x34], [0x33, 0x30, 0x34]].contains(message.first))
        if isBodiless {
            guard rest.isEmpty else { throw Malformed() }
        } else if let length = lengths.first {
            guard let count = Int(text(length)), rest.count == count else { throw Malformed() }
            message.body = Array(rest)
        } else if let coding = codings.first {
            guard coding.elementsEqual("chunked".utf8) else { throw Malformed() }
            while true {
                guard let size = Int(text(try line(&rest)), radix: 16) else { throw Malformed() }
                if size == 0 { break }
                guard rest.count >= size + 2 else { throw Malformed() }
                message.body += rest.prefix(size)
                rest = rest.dropFirst(size)
                guard try line(&rest).isEmpty else { throw Malformed() }
            }
            message.trailers = try fields(&rest)
            guard rest.isEmpty else { throw Malformed() }
        } else if isHead == nil {
            guard rest.isEmpty else { throw Malformed() }
        } else {
            message.body = Array(rest)
        }
        return message
    }

    private static func fields(_ rest: inout ArraySlice<UInt8>) throws(Malformed) -> [ReadMessage.Field] {
        var fields: [ReadMessage.Field] = []
        while true {
            let line = try line(&rest)
            if line.isEmpty { return fields }
            let parts = line.split(separator: 0x3A, maxSplits: 1, omittingEmptySubsequences: false)
            let wordBytes = Array("!#$%&'*+-.^_`|~".utf8)
            guard parts.count == 2, !parts[0].isEmpty, parts[1].first == 0x20,
                parts[0].allSatisfy({
                    (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                        || wordBytes.contains($0)
                }),
                parts[1].allSatisfy({ $0 == 9 || $0 >= 0x20 && $0 != 0x7F })
            else { throw Malformed() }
            let name = parts[0].map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
            fields.append(.init(name: name, value: Array(parts[1].dropFirst())))
        }
    }

    /// Up to the next CR LF, which is the only one of the two there.
    private static func line(_ rest: inout ArraySlice<UInt8>) throws(Malformed) -> ArraySlice<UInt8> {
        guard let end = rest.firstIndex(where: { $0 == 0x0D || $0 == 0x0A || $0 == 0 }), rest[end] == 0x0D,
            end + 1 < rest.endIndex, rest[end + 1] == 0x0A
        else { throw Malformed() }
        defer { rest = rest[(end + 2)...] }
        return rest[..<end]
    }
}
