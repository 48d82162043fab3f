// SPDX-License-Identifier: Apache-2.0
internal import Crypto

/// GitHub's signature: HMAC-SHA256 over the bytes of the body, as they came, in `X-Hub-Signature-256`.
public enum GitHubSignature {
    /// - Parameter values: every value of the header; a repeated one is refused.
    /// - Returns: whether the body was signed with the secret. An empty secret signs nothing.
    public static func isValid(_ values: [String], body: [UInt8], secret: String) -> Bool {
        guard !secret.isEmpty, values.count == 1, let value = values.first, value.hasPrefix("sha256=") else {
            return false
        }
        let digits = Array(value.utf8.dropFirst(7))
        guard digits.count == 64 else { return false }
        var code: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else { return false }
            code.append(high << 4 | low)
        }
        // Compares in constant time.
        return HMAC<SHA256>.isValidAuthenticationCode(
            code, authenticating: body, using: SymmetricKey(data: Array(secret.utf8)))
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
