// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import CryptoExtras
internal import Foundation

/// A text that opens with a passphrase: scrypt makes the key, AES-GCM seals.
public struct SealedText: Sendable, Codable, Equatable {
    /// What a passphrase has at least, in bytes.
    public static let shortest = 10

    private let kdf, cipher: String
    private let rounds, blockSize, parallelism: Int
    private let salt, data: Data

    /// Takes a second and 128 MiB.
    /// - Parameter place: what it belongs to; it opens for nothing else.
    /// - Throws: `Failure` of code `passphrase-short`.
    public init(_ text: String, passphrase: String, for place: String) throws {
        guard passphrase.utf8.count >= SealedText.shortest else {
            throw Failure(
                code: "passphrase-short",
                "a passphrase has at least \(SealedText.shortest) bytes: whoever has the file can try as long as they like"
            )
        }
        (kdf, cipher) = ("scrypt", "AES-256-GCM")
        (rounds, blockSize, parallelism) = (1 << 17, 8, 1)
        salt = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
        let key = try SealedText.key(passphrase, salt, rounds, blockSize, parallelism)
        guard
            let sealed = try AES.GCM.seal(
                Data(text.utf8), using: key, authenticating: Data(place.utf8)
            ).combined
        else { throw Failure(code: "passphrase-wrong", "the text cannot be sealed") }
        data = sealed
    }

    /// - Throws: `Failure` of code `passphrase-wrong`.
    public func open(passphrase: String, for place: String) throws -> String {
        // What a file asks for is not done whatever it is.
        guard kdf == "scrypt", cipher == "AES-256-GCM", rounds.nonzeroBitCount == 1,
            (2...(1 << 20)).contains(rounds),
            blockSize == 8, (1...4).contains(parallelism), let box = try? AES.GCM.SealedBox(combined: data),
            let key = try? SealedText.key(passphrase, salt, rounds, blockSize, parallelism),
            let text = try? AES.GCM.open(box, using: key, authenticating: Data(place.utf8))
        else {
            throw Failure(
                code: "passphrase-wrong",
                "the secrets do not open: the passphrase is another one, or the file was changed")
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func key(
        _ passphrase: String, _ salt: Data, _ rounds: Int, _ blockSize: Int, _ parallelism: Int
    ) throws -> SymmetricKey {
        try KDF.Scrypt.deriveKey(
            from: Array(passphrase.utf8), salt: salt, outputByteCount: 32, rounds: rounds,
            blockSize: blockSize,
            parallelism: parallelism)
    }
}
