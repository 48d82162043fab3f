// SPDX-License-Identifier: Apache-2.0
internal import Wire
internal import Crypto
internal import Foundation

/// How many passwords are tried, since each costs up to half a second of a processor. A browser that a user signed in with before
/// has an allowance of its own: nobody else's attempts keep that person out. A token is not asked about here at all.
final class SignInLimits: Sendable {
    /// Of an address: ten at once, and one more every six seconds.
    private let sources = RefusalLimiter(burst: 10, every: .seconds(6))
    /// Of all addresses: twenty, and one more every three seconds, which is a fifth of a processor at most.
    private let all = RefusalLimiter(burst: 20, every: .seconds(3))
    private let devices = RefusalLimiter(burst: 10, every: .seconds(6))
    private let key = SymmetricKey(size: .bits256)

    /// - Parameters:
    ///   - name: as it was typed.
    ///   - device: what the browser has from an earlier sign-in.
    func allows(_ name: String, source: String?, device: String?) -> Bool {
        if let device, device == self.device(of: name) { return devices.allows(device) }
        return sources.allows(source) && all.allows("all")
    }

    /// What a browser keeps after a sign-in; it is worth an allowance, and nothing else.
    func device(of name: String) -> String {
        hexadecimal(HMAC<SHA256>.authenticationCode(for: Data(name.lowercased().utf8), using: key))
    }
}
