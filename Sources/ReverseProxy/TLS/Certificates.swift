// SPDX-License-Identifier: Apache-2.0
internal import CTLS
internal import Wire

/// The certificates in force, by the names that they are for.
final class Certificates: Sendable {
    let served: [ServedCertificate]
    /// By the folder that each came from.
    let byFolder: [String: Certificate]
    private let byName: [String: Certificate]
    /// For visitors that name no host.
    private let first: Certificate?

    init(served: [ServedCertificate] = [], byFolder: [String: Certificate] = [:]) {
        self.served = served
        self.byFolder = byFolder
        var byName: [String: Certificate] = [:]
        // Of two for the same name, the one that lasts longer.
        for certificate in byFolder.sorted(by: { $0.key < $1.key }).map(\.value) {
            for name in certificate.names where byName[name].map({ $0.ends < certificate.ends }) ?? true {
                byName[name] = certificate
            }
        }
        self.byName = byName
        first = byFolder.min { $0.key < $1.key }?.value
    }

    /// By the exact name, or by that with `*` for its first label (RFC 9525, 6.3).
    func find(_ name: String) -> Certificate? {
        if let exact = byName[name] { return exact }
        guard let dot = name.firstIndex(of: ".") else { return nil }
        return byName["*" + name[dot...]]
    }

    /// - Parameter name: as a visitor's handshake names it; nil when it names none.
    func choose(_ name: UnsafePointer<CChar>?) -> Certificate? {
        guard let name else { return first }
        let text = UnsafeRawBufferPointer(start: name, count: strnlen(name)).map(MessageHead.lower)
        return find(
            String(decoding: text.last == UInt8(ascii: ".") ? text.dropLast() : text[...], as: UTF8.self))
    }

    private func strnlen(_ name: UnsafePointer<CChar>) -> Int {
        // 255: the longest name that TLS has (RFC 6066 leaves it to DNS).
        (0..<256).first { name[$0] == 0 } ?? 256
    }
}
