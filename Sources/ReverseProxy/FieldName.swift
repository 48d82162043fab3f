// SPDX-License-Identifier: Apache-2.0

/// The header fields that the proxy itself reads or writes; all others pass.
enum FieldName: UInt8 {
    case other
    case host, connection, keepAlive, te, upgrade, via, forwarded
    case contentLength, transferEncoding
    case proxyConnection, proxyAuthenticate, proxyAuthorization
    case forwardedFor, forwardedProto, forwardedHost
    /// What tells a length to servers that make variables of fields, but not to the proxy: `Content_Length`.
    case lookalike

    /// Without regard to case.
    init(_ name: UnsafeBufferPointer<UInt8>) {
        func same(_ word: StaticString, _ value: FieldName) -> FieldName {
            FieldName.same(name, word) ? value : .other
        }
        switch name.count {
        case 2: self = same("te", .te)
        case 3: self = same("via", .via)
        case 4: self = same("host", .host)
        case 7: self = same("upgrade", .upgrade)
        case 9: self = same("forwarded", .forwarded)
        case 10:
            self = same("connection", .connection)
            if self == .other { self = same("keep-alive", .keepAlive) }
        case 14:
            self = same("content-length", .contentLength)
            if self == .other, FieldName.same(name, "content-length", orUnderscore: true) {
                self = .lookalike
            }
        // With `_` for `-` they are the same names to servers that make variables of fields.
        case 15: self = FieldName.same(name, "x-forwarded-for", orUnderscore: true) ? .forwardedFor : .other
        case 16:
            self = FieldName.same(name, "x-forwarded-host", orUnderscore: true) ? .forwardedHost : .other
            if self == .other { self = same("proxy-connection", .proxyConnection) }
        case 17:
            self = same("transfer-encoding", .transferEncoding)
            if self == .other, FieldName.same(name, "transfer-encoding", orUnderscore: true) {
                self = .lookalike
            }
            if FieldName.same(name, "x-forwarded-proto", orUnderscore: true) { self = .forwardedProto }
        case 18: self = same("proxy-authenticate", .proxyAuthenticate)
        case 19: self = same("proxy-authorization", .proxyAuthorization)
        default: self = .other
        }
    }

    /// ASCII comparison without regard to case; `word` in lower case.
    static func same(
        _ bytes: UnsafeBufferPointer<UInt8>, _ word: StaticString, orUnderscore: Bool = false
    ) -> Bool {
        guard bytes.count == word.utf8CodeUnitCount else { return false }
        let wanted = word.utf8Start
        for index in 0..<bytes.count where MessageHead.lower(bytes[index]) != wanted[index] {
            guard orUnderscore, bytes[index] == UInt8(ascii: "_"), wanted[index] == UInt8(ascii: "-") else {
                return false
            }
        }
        return true
    }

    /// Concerns one connection only (RFC 9110, 7.6.1), or is written anew from what was parsed.
    var isHopByHop: Bool {
        switch self {
        case .connection, .keepAlive, .te, .upgrade, .contentLength, .transferEncoding, .proxyConnection,
            .proxyAuthenticate, .proxyAuthorization, .lookalike:
            true
        default: false
        }
    }

    /// Says where a request came from, which only the proxy knows.
    var isOrigin: Bool {
        switch self {
        case .host, .via, .forwarded, .forwardedFor, .forwardedProto, .forwardedHost: true
        default: false
        }
    }
}
