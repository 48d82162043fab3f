// SPDX-License-Identifier: Apache-2.0

/// Writes a request for the instance: what was parsed, never what was received, without what belongs to one hop, and
/// with what the proxy alone may say of where it came from.
enum RequestRewriter {
    /// The one Host that the request is for.
    static func host(_ head: MessageHead) throws(MessageHead.Refusal) -> ArraySlice<UInt8> {
        let hosts = head.hosts
        guard hosts.count <= 1 else { throw MessageHead.Refusal(status: 400, reason: "more than one Host") }
        let target = head.bytes[head.second]
        var host = hosts.first.map { head.bytes[$0] } ?? []
        if hosts.isEmpty, head.minor == 1 { throw MessageHead.Refusal(status: 400, reason: "no Host") }
        if let authority = authority(target) {
            guard hosts.isEmpty || authority.map(MessageHead.lower) == host.map(MessageHead.lower) else {
                throw MessageHead.Refusal(status: 400, reason: "Host differs from the request's target")
            }
            guard !authority.isEmpty else {
                throw MessageHead.Refusal(status: 400, reason: "malformed target")
            }
            host = authority
        } else if target.first != UInt8(ascii: "/"),
            // Of the server as a whole only its options can be asked (RFC 9112, 3.2.4).
            !(target.elementsEqual("*".utf8) && head.bytes[head.first].elementsEqual("OPTIONS".utf8))
        {
            throw MessageHead.Refusal(status: 400, reason: "malformed target")
        }
        guard HostValue.isPlain(host) else {
            throw MessageHead.Refusal(status: 400, reason: "malformed Host")
        }
        return host
    }

    /// The authority of a target in absolute form.
    private static func authority(_ target: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let scheme = Array("http://".utf8)
        guard target.count > scheme.count, target.prefix(scheme.count).map(MessageHead.lower) == scheme else {
            return nil
        }
        return target.dropFirst(scheme.count).prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
    }

    static func write(
        _ head: MessageHead, framing: MessageHead.Framing, host: ArraySlice<UInt8>, address: [UInt8],
        isSecure: Bool, upgrade: Bool,
        to out: inout ByteQueue
    ) {
        out.append(head.bytes[head.first])
        out.append(" ")
        var target = head.bytes[head.second]
        if authority(target) != nil {
            target = target.dropFirst("http://".utf8.count).drop {
                $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?")
            }
            if target.first != UInt8(ascii: "/") { out.append("/") }
        }
        out.append(target)
        out.append(" HTTP/1.1\r\nHost: ")
        out.append(host)
        out.append("\r\n")
        HopByHop.copyFields(head, to: &out) { $0.isOrigin }
        switch framing {
        case .length(let count):
            out.append("Content-Length: ")
            out.append(String(count).utf8)
            out.append("\r\n")
        case .chunked: out.append("Transfer-Encoding: chunked\r\n")
        case .none, .untilClose: break
        }
        if head.wantsTrailers { out.append("TE: trailers\r\n") }
        if upgrade {
            out.append("Connection: upgrade\r\nUpgrade: ")
            for (index, value) in head.values("upgrade").enumerated() {
                if index > 0 { out.append(", ") }
                out.append(value)
            }
            out.append("\r\n")
        }
        let quoted = address.contains(UInt8(ascii: ":"))
        out.append("X-Forwarded-For: ")
        out.append(address)
        out.append("\r\nX-Forwarded-Proto: ")
        out.append(isSecure ? "https" : "http")
        out.append("\r\nX-Forwarded-Host: ")
        out.append(host)
        out.append("\r\nForwarded: for=")
        if quoted { out.append("\"[") }
        out.append(address)
        if quoted { out.append("]\"") }
        out.append(";host=\"")
        out.append(host)
        out.append(isSecure ? "\";proto=https\r\nVia: " : "\";proto=http\r\nVia: ")
        if head.vias > 0 {
            for value in head.values("via") {
                out.append(value)
                out.append(", ")
            }
        }
        out.append("1.1 kinto\r\n\r\n")
    }

    /// A host name fit for a message.
    static func shown(_ host: ArraySlice<UInt8>) -> String {
        String(
            decoding: host.prefix(100).filter { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "<") },
            as: UTF8.self)
    }
}

/// Fields that concern one connection only (RFC 9110, 7.6.1), and those that the proxy writes anew from what it parsed.
enum HopByHop {
    /// Writes the fields that go on. Neighbours that stand as they would be written are copied in one piece.
    static func copyFields(
        _ head: MessageHead, to out: inout ByteQueue, except isDropped: (FieldName) -> Bool
    ) {
        let named = head.connection.contains(.others) ? named(head) : []
        var run = 0..<0
        for field in head.fields {
            if field.kind.isHopByHop || field.kind != .other && isDropped(field.kind)
                || !named.isEmpty && named.contains(head.bytes[field.name].map(MessageHead.lower))
            {
                continue
            }
            if let line = field.line {
                if line.lowerBound == run.upperBound {
                    run = run.lowerBound..<line.upperBound
                } else {
                    out.append(head.bytes, run)
                    run = line
                }
            } else {
                out.append(head.bytes, run)
                run = 0..<0
                out.append(head.bytes, field.name)
                out.append(": ")
                out.append(head.bytes, field.value)
                out.append("\r\n")
            }
        }
        out.append(head.bytes, run)
    }

    /// The names that the Connection field lists, lower case.
    private static func named(_ head: MessageHead) -> [[UInt8]] {
        head.values("connection").flatMap { value in
            value.split(separator: UInt8(ascii: ",")).map { MessageHead.trim($0).map(MessageHead.lower) }
        }
    }
}
