// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation

/// What Standard Webhooks signs, by whoever sends it and whoever reads it (standardwebhooks.com).
public enum StandardWebhook {
    /// HMAC-SHA256 over `id.time.body`; nil for a secret that begins with `whsec_` and does not go on in base64.
    static func code(
        identifier: String, time: String, _ body: [UInt8], secret: String
    ) -> HMAC<SHA256>.MAC? {
        var key = Data(secret.utf8)
        if secret.hasPrefix("whsec_") {
            guard let bytes = Data(base64Encoded: String(secret.dropFirst("whsec_".count))), !bytes.isEmpty
            else { return nil }
            key = bytes
        }
        var code = HMAC<SHA256>(key: SymmetricKey(data: key))
        code.update(data: Array("\(identifier).\(time).".utf8))
        code.update(data: body)
        return code.finalize()
    }

    /// The value of `webhook-signature`; nil as ``code(identifier:time:_:secret:)``.
    public static func signature(
        identifier: String, time: String, _ body: [UInt8], secret: String
    ) -> String? {
        code(identifier: identifier, time: time, body, secret: secret).map {
            "v1,\(Data($0).base64EncodedString())"
        }
    }
}
