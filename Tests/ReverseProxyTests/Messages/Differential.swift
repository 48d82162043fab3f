// SPDX-License-Identifier: Apache-2.0
@testable import ReverseProxy

/// Where the proxy takes a message that llhttp refuses, or reads otherwise.
enum Differential {
    struct Difference {
        /// What differs; an error's own words when llhttp refuses.
        let kind: String
        /// As the proxy read it.
        let message: ReadMessage
        let bytes: [UInt8]
    }

    static func differences(_ bytes: [UInt8]) -> [Difference] {
        guard bytes.starts(with: "HTTP/".utf8) else { return requests(bytes) }
        return response(bytes, isHead: false) + response(bytes, isHead: true)
    }

    private static func requests(_ bytes: [UInt8]) -> [Difference] {
        var reader = ProxyReader(bytes, splits: nil)
        var found: [Difference] = []
        for _ in 0..<16 {
            let start = reader.position
            guard reader.request() == .message else { break }
            let part = bytes[start..<reader.position]
            func differs(_ kind: String, _ bytes: some Sequence<UInt8> = part) {
                found.append(Difference(kind: kind, message: reader.message, bytes: Array(bytes)))
            }
            do {
                if let other = try LLHTTPReader.request(part) {
                    if let what = difference(reader.message, other) { differs(what) }
                    if try LLHTTPReader.request(part.dropLast()) != nil { differs("ends before") }
                } else {
                    differs("goes on")
                }
            } catch { differs("\(error)") }
            do {
                let plain = try PlainReader.read(reader.written)
                if let other = try LLHTTPReader.request(reader.written) {
                    if let what = difference(plain, other, trailers: true) {
                        differs("as written: \(what)", reader.written)
                    }
                    if try LLHTTPReader.request(reader.written.dropLast()) != nil {
                        differs("as written: ends before", reader.written)
                    }
                } else {
                    differs("as written: goes on", reader.written)
                }
            } catch { differs("as written: \(error)", reader.written) }
        }
        return found
    }

    private static func response(_ bytes: [UInt8], isHead: Bool) -> [Difference] {
        var reader = ProxyReader(bytes, splits: nil)
        guard reader.response(isHead: isHead, minor: 1) == .message else { return [] }
        let part = bytes[..<reader.position]
        var found: [Difference] = []
        func differs(_ kind: String, _ bytes: some Sequence<UInt8> = part) {
            found.append(Difference(kind: kind, message: reader.message, bytes: Array(bytes)))
        }
        do {
            if let other = try LLHTTPReader.response(part, isHead: isHead, atEnd: reader.endsWithConnection) {
                if let what = difference(reader.message, other) { differs(what) }
                if try !reader.endsWithConnection
                    && LLHTTPReader.response(part.dropLast(), isHead: isHead, atEnd: false) != nil
                {
                    differs("ends before")
                }
            } else {
                differs("goes on")
            }
        } catch { differs("\(error)") }
        do {
            let plain = try PlainReader.read(reader.written, isHead: isHead)
            if let other = try LLHTTPReader.response(reader.written, isHead: isHead, atEnd: false) {
                if let what = difference(plain, other, trailers: true) {
                    differs("as written: \(what)", reader.written)
                }
            } else {
                differs("as written: goes on", reader.written)
            }
        } catch { differs("as written: \(error)", reader.written) }
        return found
    }

    private static func difference(_ ours: ReadMessage, _ other: ReadMessage, trailers: Bool = false)
        -> String?
    {
        if ours.first != other.first { return "another method or status" }
        // SwiftNIO has reasons of its own.
        if ours.second != other.second, ours.first.first.map({ $0 >= 0x40 }) == true {
            return "another target"
        }
        if shown(ours.fields) != shown(other.fields) { return "other fields" }
        if ours.body != other.body { return "another body" }
        return trailers && shown(ours.trailers) != shown(other.trailers) ? "other trailers" : nil
    }

    /// SwiftNIO makes strings of values, and leaves tabs at their ends.
    private static func shown(_ fields: [ReadMessage.Field]) -> [ReadMessage.Field] {
        fields.map { field in
            let value = MessageHead.trim(field.value[...])
            return .init(name: field.name, value: Array(String(decoding: value, as: UTF8.self).utf8))
        }
    }
}
