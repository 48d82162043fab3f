// SPDX-License-Identifier: Apache-2.0
internal import CTLS
internal import Glibc
internal import Wire

/// What a worker needs to serve over TLS, and to lead visitors there.
struct TLSSettings: Sendable {
    let context: TLSContext
    var certificates: Certificates
    /// Of the URLs that visitors are led to.
    let port: UInt16
    /// Whether requests without TLS for a name that has a certificate are led to TLS.
    let redirects: Bool
    /// Below which ACME clients put their proofs; see `challenge`.
    let challenges: String

    /// An answer that a request without TLS gets before it is routed; nil: it is routed.
    func answer(_ head: MessageHead, host: ArraySlice<UInt8>) -> OwnAnswer? {
        let target = head.bytes[head.second]
        if let proof = challenge(target) { return OwnAnswer(file: proof) }
        guard redirects, target.first == UInt8(ascii: "/") else { return nil }
        let name = String(decoding: Router.name(host), as: UTF8.self)
        guard certificates.find(name) != nil else { return nil }
        let authority = port == 443 ? name : "\(name):\(port)"
        return OwnAnswer(redirectTo: "https://\(authority)\(String(decoding: target, as: UTF8.self))")
    }

    /// What an ACME client left for the one who asks whether the name is ours (RFC 8555, 8.3): the file of the token, in
    /// the place where clients with a "webroot" put it. Without it the service is asked.
    private func challenge(_ target: ArraySlice<UInt8>) -> [UInt8]? {
        let place: StaticString = "/.well-known/acme-challenge/"
        guard target.count > place.utf8CodeUnitCount,
            target.starts(with: UnsafeBufferPointer(start: place.utf8Start, count: place.utf8CodeUnitCount))
        else { return nil }
        let token = target.dropFirst(place.utf8CodeUnitCount)
        // base64url, so no path leads anywhere else.
        guard token.count <= 128,
            token.allSatisfy({
                $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                    || MessageHead.isToken($0)
                        && ((0x30...0x39).contains($0) || (0x61...0x7A).contains(MessageHead.lower($0)))
            })
        else { return nil }
        let path = challenges + String(decoding: target, as: UTF8.self)
        return try? Descriptor.open(path, O_RDONLY | O_NONBLOCK).readAll(limit: 4096)
    }
}

/// The settings that all TLS connections share. Made once, kept for ever.
// Proof: the library's contexts may be used by several threads at a time (SSL_CTX is reference counted and locked).
final class TLSContext: @unchecked Sendable {
    struct Unusable: Error, CustomStringConvertible { let description: String }

    let pointer: OpaquePointer
    /// Why HTTP/2 is not offered; nil: it is.
    let withoutHTTP2: String?

    init() throws(Unusable) {
        if let problem = kinto_tls_load() { throw Unusable(description: "TLS: \(String(cString: problem))") }
        withoutHTTP2 = kinto_h2_load().map { String(cString: $0) }
        let made = kinto_tls_create(
            { certificates, name in
                guard let certificates else { return nil }
                // Kept by the connection, which outlives the call.
                return Unmanaged<Certificates>.fromOpaque(certificates).takeUnretainedValue().choose(name)?
                    .pointer
            }, withoutHTTP2 == nil ? 1 : 0)
        guard let made else { throw Unusable(description: "TLS: the library made no context") }
        pointer = made
    }
}
