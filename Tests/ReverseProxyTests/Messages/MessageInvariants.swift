// SPDX-License-Identifier: Apache-2.0
import Wire

@testable import ReverseProxy

/// What holds for every input. The same checks serve the tests and the fuzzer.
enum MessageInvariants {
    /// What is wrong with what the proxy makes of a visitor's bytes, or an instance's when they begin with `HTTP/`; nil
    /// when all is well.
    static func problem(in bytes: [UInt8]) -> String? {
        if bytes.starts(with: "HTTP/".utf8) {
            for (isHead, minor) in [(false, 1), (true, 1), (false, 0)] {
                if let problem = response(bytes, isHead: isHead, minor: minor) { return problem }
            }
            return nil
        }
        return requests(bytes) ?? SiteInvariants.problem(in: bytes)
    }

    private static func requests(_ bytes: [UInt8]) -> String? {
        var whole = ProxyReader(bytes, splits: nil)
        var parts = ProxyReader(bytes, splits: SeededGenerator(bytes))
        for _ in 0..<16 {
            let start = whole.position
            let outcome = whole.request()
            guard parts.request() == outcome else { return "read otherwise when it comes in parts" }
            guard outcome == .message else { return nil }
            guard whole.message == parts.message, whole.position == parts.position, whole.position > start
            else { return "another message when it comes in parts" }
            for reader in [whole, parts] {
                if let problem = isRequestKept(reader) { return problem }
            }
            if parts.written.count > 4096 + 8 * (whole.position - start) {
                return "written at too great length"
            }
        }
        return nil
    }

    private static func isRequestKept(_ reader: ProxyReader) -> String? {
        let read = reader.message
        guard let plain = try? PlainReader.read(reader.written) else { return "unreadable as written" }
        guard plain.first == read.first else { return "another method" }
        guard plain.body == read.body else { return "another body" }
        guard plain.second == originForm(read.second) else { return "another target" }
        guard plain.values("host") == [reader.host] else { return "another Host" }
        if let problem = isFramingKept(plain, reader.framing) { return problem }
        guard passing(plain.fields, own: origin) == passing(read.fields, own: origin) else {
            return "other fields"
        }
        guard plain.values("x-forwarded-for") == [Array("127.0.0.1".utf8)],
            plain.values("forwarded").count == 1,
            plain.values("x-forwarded-host") == [reader.host], plain.values("via").count == 1
        else { return "an origin that is not the proxy's word" }
        return isTrailerPlain(plain) ?? isReadAgain(reader)
    }

    private static func originForm(_ target: [UInt8]) -> [UInt8] {
        guard target.first != 0x2F, target.count > 7 else { return target }
        let rest = target.dropFirst(7).drop { $0 != 0x2F && $0 != 0x3F }
        return (rest.first == 0x2F ? [] : [0x2F]) + rest
    }

    /// The proxy takes what it wrote, and writes it so again.
    private static func isReadAgain(_ reader: ProxyReader) -> String? {
        let limits = ProxyLimits()
        // Each pass adds to Via, and what it adds may be over a limit.
        guard reader.written.count < limits.headerBytes,
            reader.message.fields.count < limits.headerFields - 20,
            reader.message.values("via").isEmpty
        else { return nil }
        var again = ProxyReader(reader.written, splits: nil)
        guard again.request() == .message, again.position == reader.written.count else {
            return "refused as written"
        }
        guard again.message.body == reader.message.body, again.message.first == reader.message.first,
            again.host == reader.host, again.framing == reader.framing
        else { return "another message as written" }
        return nil
    }

    private static func response(_ bytes: [UInt8], isHead: Bool, minor: Int) -> String? {
        var whole = ProxyReader(bytes, splits: nil)
        var parts = ProxyReader(bytes, splits: SeededGenerator(bytes))
        let outcome = whole.response(isHead: isHead, minor: minor)
        guard parts.response(isHead: isHead, minor: minor) == outcome else {
            return "read otherwise when it comes in parts"
        }
        guard outcome == .message else { return nil }
        guard whole.message == parts.message, whole.position == parts.position else {
            return "another answer when it comes in parts"
        }
        for reader in [whole, parts] {
            let read = reader.message
            guard let plain = try? PlainReader.read(reader.written, isHead: isHead) else {
                return "unreadable as written"
            }
            guard plain.first == read.first, plain.second == read.second else { return "another status" }
            guard plain.body == read.body else { return "another body" }
            guard passing(plain.fields, own: []) == passing(read.fields, own: []) else {
                return "other fields"
            }
            if let problem = isTrailerPlain(plain) { return problem }
            if !isHead, plain.body.isEmpty == false, minor == 1,
                plain.values("content-length").isEmpty && plain.values("transfer-encoding").isEmpty
            {
                return "a body without a length"
            }
        }
        return parts.written.count > 4096 + 8 * bytes.count ? "written at too great length" : nil
    }

    private static func isFramingKept(_ plain: ReadMessage, _ framing: MessageHead.Framing) -> String? {
        let lengths = plain.values("content-length")
        let codings = plain.values("transfer-encoding")
        let kept =
            switch framing {
            case .none, .untilClose: lengths.isEmpty && codings.isEmpty
            case .length(let count): lengths == [Array(String(count).utf8)] && codings.isEmpty
            case .chunked: lengths.isEmpty && codings == [Array("chunked".utf8)]
            }
        return kept ? nil : "another framing"
    }

    private static func words(_ text: String) -> Set<[UInt8]> {
        Set(text.split(separator: " ").map { Array($0.utf8) })
    }

    private static let oneHop = words(
        "connection keep-alive te upgrade content-length transfer-encoding proxy-connection proxy-authenticate "
            + "proxy-authorization")
    private static let origin = words(
        "host via forwarded x-forwarded-for x-forwarded-proto x-forwarded-host")
    private static let forwarded = words("x-forwarded-for x-forwarded-proto x-forwarded-host")
    private static let lengths = words("content-length transfer-encoding")
    private static let options = words("close upgrade keep-alive")
    private static let connection = Array("connection".utf8)

    /// The fields that go on.
    private static func passing(_ fields: [ReadMessage.Field], own: Set<[UInt8]>) -> [ReadMessage.Field] {
        var named: Set<[UInt8]> = []
        for field in fields where field.name == connection {
            for word in field.value.split(separator: 0x2C) {
                var word = word.drop { $0 == 0x20 || $0 == 9 }
                while word.last == 0x20 || word.last == 9 { word.removeLast() }
                named.insert(word.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 })
            }
        }
        if named.isSubset(of: options) { named = [] }
        return fields.filter { field in
            let name = field.name
            if oneHop.contains(name) || own.contains(name) || named.contains(name) { return false }
            guard name.contains(0x5F) else { return true }
            // Names that differ by `_` for `-` only.
            let variable = name.map { $0 == 0x5F ? 0x2D : $0 }
            return !lengths.contains(variable) && !(forwarded.contains(variable) && own.contains(variable))
        }
    }

    private static func isTrailerPlain(_ plain: ReadMessage) -> String? {
        plain.trailers == passing(plain.trailers, own: origin) ? nil : "a trailer that frames or routes"
    }
}
