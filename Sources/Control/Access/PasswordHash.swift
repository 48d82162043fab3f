// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import CryptoExtras
internal import Foundation
internal import KintoCore

/// What a password is checked by: scrypt with a salt of its own, and its cost beside it, so that the cost may grow later.
/// `scrypt$LOG2N$R$P$SALT$KEY`
struct PasswordHash: Sendable {
    /// 32 MiB, and up to half a second of one processor. Whoever makes it dearer looks at ``SignInLimits``, too.
    #if DEBUG
        // It is twenty times as slow there.
        private static let cost = Cost(logarithm: 10, blockSize: 8, parallelism: 3)
    #else
        private static let cost = Cost(logarithm: 15, blockSize: 8, parallelism: 3)
    #endif

    static let shortest = 12
    /// Bytes.
    static let longest = 1024

    private struct Cost: Sendable {
        let logarithm, blockSize, parallelism: Int
    }

    /// One at a time, beside the tasks of the server: a flood of sign-ins gets one processor at most.
    private static let queue = SerialBlocking("kinto.password")

    private let cost: Cost
    private let salt: Data
    private let key: SymmetricKey

    /// Of a password that nobody has: what is checked for a name that nobody has takes as long as any.
    static let nobody = PasswordHash(
        cost: cost, salt: Data(repeating: 0, count: 16), key: SymmetricKey(size: .bits256))

    private init(cost: Cost, salt: Data, key: SymmetricKey) {
        self.cost = cost
        self.salt = salt
        self.key = key
    }

    /// nil: it is none.
    init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "scrypt", let logarithm = Int(parts[1]),
            let blockSize = Int(parts[2]), let parallelism = Int(parts[3]), (1...20).contains(logarithm),
            (1...32).contains(blockSize), (1...16).contains(parallelism),
            let salt = Data(base64Encoded: parts[4]), let key = Data(base64Encoded: parts[5]), key.count == 32
        else { return nil }
        self.init(
            cost: Cost(logarithm: logarithm, blockSize: blockSize, parallelism: parallelism), salt: salt,
            key: SymmetricKey(data: key))
    }

    /// As it is kept.
    var text: String {
        let key = key.withUnsafeBytes { Data($0) }
        return [
            "scrypt", "\(cost.logarithm)", "\(cost.blockSize)", "\(cost.parallelism)",
            salt.base64EncodedString(), key.base64EncodedString(),
        ].joined(separator: "$")
    }

    static func make(_ password: String) async throws -> PasswordHash {
        let salt = SymmetricKey(size: .bits128).withUnsafeBytes { Data($0) }
        let key = try await derive(password, salt, cost)
        return PasswordHash(cost: cost, salt: salt, key: key)
    }

    func matches(_ password: String) async throws -> Bool {
        // Keys are compared in constant time.
        try await Self.derive(password, salt, cost) == key
    }

    private static func derive(_ password: String, _ salt: Data, _ cost: Cost) async throws -> SymmetricKey {
        try await queue.run {
            // The same letters, however a keyboard composes them.
            let bytes = Array(password.precomposedStringWithCanonicalMapping.utf8)
            return try KDF.Scrypt.deriveKey(
                from: bytes, salt: salt, outputByteCount: 32, rounds: 1 << cost.logarithm,
                blockSize: cost.blockSize, parallelism: cost.parallelism)
        }
    }

    /// - Throws: `Failure` of code `invalid-password`.
    static func check(_ password: String, of name: AccountName) throws {
        func refuse(_ text: String) -> Failure { Failure(code: "invalid-password", text) }
        guard password.count >= shortest else {
            throw refuse("a password has at least \(shortest) characters")
        }
        guard password.utf8.count <= longest else {
            throw refuse("a password has at most \(longest) bytes")
        }
        guard Set(password).count > 3, password.lowercased() != name.description.lowercased() else {
            throw refuse("this password would be guessed: take some words that do not belong together")
        }
    }
}
