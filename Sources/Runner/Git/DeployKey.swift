// SPDX-License-Identifier: Apache-2.0
internal import Crypto

/// An ed25519 key pair for one service, as OpenSSH writes it (PROTOCOL.key of OpenSSH, RFC 8709).
public struct DeployKey: Sendable {
    /// The private key, without passphrase.
    public let privateText: String
    /// The public half in one line, with the comment.
    public let publicText: String

    /// Makes a new one.
    /// - Parameter comment: one word that tells people whose key it is.
    public init(comment: String) {
        let key = Curve25519.Signing.PrivateKey()
        let point = Array(key.publicKey.rawRepresentation)
        var publicBlob = DeployKey.string(Array("ssh-ed25519".utf8))
        publicBlob += DeployKey.string(point)
        // Twice the same number, so that a reader sees whether it was decrypted right; here nothing is encrypted.
        let check = DeployKey.number(UInt32.random(in: .min ... .max))
        var secret = check + check + publicBlob
        secret += DeployKey.string(Array(key.rawRepresentation) + point)
        secret += DeployKey.string(Array(comment.utf8))
        var padding: UInt8 = 1
        while secret.count % 8 != 0 {
            secret.append(padding)
            padding += 1
        }
        var file = Array("openssh-key-v1".utf8) + [0]
        for word in ["none", "none", ""] { file += DeployKey.string(Array(word.utf8)) }
        file += DeployKey.number(1)
        file += DeployKey.string(publicBlob)
        file += DeployKey.string(secret)
        let text = Array(Base64.encode(file))
        let lines = stride(from: 0, to: text.count, by: 70).map {
            String(text[$0..<min($0 + 70, text.count)])
        }
        privateText =
            "-----BEGIN OPENSSH PRIVATE KEY-----\n\(lines.joined(separator: "\n"))\n-----END OPENSSH PRIVATE KEY-----\n"
        publicText = "ssh-ed25519 \(Base64.encode(publicBlob)) \(comment)"
    }

    private static func number(_ value: UInt32) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    private static func string(_ bytes: [UInt8]) -> [UInt8] { number(UInt32(bytes.count)) + bytes }
}
