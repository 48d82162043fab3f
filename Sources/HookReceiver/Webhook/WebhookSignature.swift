// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation
public import KintoCore
public import Wire

/// Whether a delivery was signed with a secret, by the one scheme of its provider. Compares in constant time, before anything
/// of the body is parsed.
public enum WebhookSignature {
    /// How old a signed time may be, and how far ahead (Standard Webhooks: five minutes).
    static let window = 300

    /// - Parameters:
    ///   - secrets: those that are in force; an empty one signs nothing.
    ///   - now: for schemes that sign the time.
    public static func isValid(
        _ delivery: IncomingDelivery, _ provider: Provider, secrets: [String], now: Timestamp = .now
    ) -> Bool {
        // Every secret is tried: how long it takes does not tell which one it was.
        secrets.reduce(false) { found, secret in
            let isValid = !secret.isEmpty && isValid(delivery, provider, secret: secret, now: now)
            return found || isValid
        }
    }

    private static func isValid(
        _ delivery: IncomingDelivery, _ provider: Provider, secret: String, now: Timestamp
    ) -> Bool {
        switch provider {
        case .github: digest(delivery, "x-hub-signature-256", prefix: "sha256=", secret)
        case .bitbucket, .bitbucketServer: digest(delivery, "x-hub-signature", prefix: "sha256=", secret)
        case .gitea: digest(delivery, "x-gitea-signature", prefix: "", secret, ofText: provider)
        case .gogs: digest(delivery, "x-gogs-signature", prefix: "", secret, ofText: provider)
        case .forgejo:
            // Older ones send only Gitea's name of the same digest.
            digest(
                delivery, delivery.has("x-forgejo-signature") ? "x-forgejo-signature" : "x-gitea-signature",
                prefix: "", secret, ofText: provider)
        case .gitlab:
            // A signing token of GitLab's looks like this; then the plain token, which is weaker, does not count.
            isSigningToken(secret)
                ? standard(delivery, secret, now) : token(delivery.only("x-gitlab-token"), secret)
        case .generic: generic(delivery, secret, now)
        }
    }

    /// `whsec_` and base64: the form of a secret of Standard Webhooks.
    public static func isSigningToken(_ secret: String) -> Bool { secret.hasPrefix("whsec_") }

    /// Why a text cannot be a secret; nil when it can. Long enough that nobody guesses it, and one line of plain characters,
    /// as it travels in headers and forms.
    public static func unusable(_ secret: String) -> String? {
        guard secret.utf8.count >= 16, secret.utf8.count <= 256,
            secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return "a webhook secret has 16 to 256 printable ASCII characters and no spaces" }
        if isSigningToken(secret),
            Data(base64Encoded: String(secret.dropFirst("whsec_".count)))?.isEmpty ?? true
        {
            return "a secret that begins with whsec_ goes on in base64"
        }
        return nil
    }

    /// Exactly one of: a digest, a signature of Standard Webhooks, a bearer token. Several are refused: the one that is looked
    /// at would be the sender's choice.
    private static func generic(_ delivery: IncomingDelivery, _ secret: String, _ now: Timestamp) -> Bool {
        let offered = ["x-signature", "x-hub-signature-256", "webhook-signature", "authorization"].filter(
            delivery.has)
        guard offered.count == 1, let scheme = offered.first else { return false }
        switch scheme {
        case "webhook-signature": return standard(delivery, secret, now)
        case "authorization":
            guard let value = delivery.only(scheme), value.lowercased().hasPrefix("bearer ") else {
                return false
            }
            return token(String(value.dropFirst("bearer ".count)), secret)
        default: return digest(delivery, scheme, prefix: "sha256=", secret)
        }
    }

    /// HMAC-SHA256 in hexadecimal digits.
    /// - Parameter ofText: the provider that signs the JSON text also when it sends it in a form; nil: the body is signed.
    private static func digest(
        _ delivery: IncomingDelivery, _ field: String, prefix: String, _ secret: String,
        ofText provider: Provider? = nil
    ) -> Bool {
        guard let value = delivery.only(field), value.hasPrefix(prefix),
            let code = Hexadecimal.bytes(value.dropFirst(prefix.count)), code.count == SHA256.byteCount
        else { return false }
        var signed = delivery.body
        if let provider {
            guard let text = try? PayloadText.json(delivery, provider) else { return false }
            signed = text
        }
        return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: signed, using: key(secret))
    }

    /// The secret itself. Digests of both are compared, so that their lengths do not show either.
    private static func token(_ given: String?, _ secret: String) -> Bool {
        guard let given else { return false }
        return SHA256.hash(data: Array(given.utf8)) == SHA256.hash(data: Array(secret.utf8))
    }

    /// Standard Webhooks: `v1,` and base64 of HMAC-SHA256 over `id.time.body`; several, for the change of a secret, are
    /// separated by spaces.
    private static func standard(_ delivery: IncomingDelivery, _ secret: String, _ now: Timestamp) -> Bool {
        guard let identifier = delivery.only("webhook-id"), let time = delivery.only("webhook-timestamp"),
            let signatures = delivery.only("webhook-signature"), time.utf8.count <= 12,
            let seconds = Int(time), abs(now.milliseconds / 1000 - Int64(seconds)) <= window
        else { return false }
        guard
            let wanted = StandardWebhook.code(
                identifier: identifier, time: time, delivery.body, secret: secret)
        else { return false }
        return signatures.split(separator: " ").prefix(16).reduce(false) { found, signature in
            guard signature.hasPrefix("v1,"),
                let given = Data(base64Encoded: String(signature.dropFirst("v1,".count)))
            else { return found }
            return wanted == given || found
        }
    }

    private static func key(_ secret: String) -> SymmetricKey { SymmetricKey(data: Array(secret.utf8)) }
}
