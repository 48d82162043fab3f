// SPDX-License-Identifier: Apache-2.0
internal import CTLS

/// A certificate with its chain and key.
// Proof: what the pointer refers to is never changed after it was read, and freed with the last reference.
final class Certificate: @unchecked Sendable {
    struct Unusable: Error { let reason: String }

    let pointer: OpaquePointer
    /// DNS names in lower case, `*.example.com` among them, and addresses.
    let names: [String]
    /// Unix seconds.
    let begins: Int64
    let ends: Int64

    /// - Parameters:
    ///   - chain: PEM: the certificate, then those that lead to its issuer.
    ///   - key: PEM.
    init(chain: [UInt8], key: [UInt8]) throws(Unusable) {
        if let problem = kinto_tls_load() { throw Unusable(reason: String(cString: problem)) }
        var reason = [CChar](repeating: 0, count: 256)
        guard let read = kinto_tls_certificate_read(chain, chain.count, key, key.count, &reason, reason.count)
        else {
            let text = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw Unusable(reason: String(decoding: text, as: UTF8.self))
        }
        pointer = read
        begins = kinto_tls_certificate_begins(read)
        ends = kinto_tls_certificate_ends(read)
        var found: [String] = []
        withUnsafeMutablePointer(to: &found) { list in
            kinto_tls_certificate_names(read, list) { context, name, length in
                guard let name, let list = context?.assumingMemoryBound(to: [String].self) else { return }
                let bytes = UnsafeRawBufferPointer(start: name, count: length).map(MessageHead.lower)
                list.pointee.append(String(decoding: bytes, as: UTF8.self))
            }
        }
        names = found
    }

    deinit { kinto_tls_certificate_free(pointer) }
}
