// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation
internal import Synchronization

/// Seals values for the store with AES-GCM, each for its place, so that one that was moved does not open.
struct SecretBox: Sendable {
    /// The first one seals; the others open what was sealed before, while the key is being replaced.
    private let keys: [SymmetricKey]

    private static let mark = "sealed1:"

    /// - Parameter old: opens what is not sealed again yet, and what a transaction that began before still reads.
    init(_ key: SecretKey, after old: SecretBox? = nil) {
        keys = [SymmetricKey(data: key.bytes)] + (old?.keys ?? [])
    }

    /// Where the box of a store is; another one is put there when the key is replaced.
    final class Place: Sendable {
        private let box: Mutex<SecretBox>

        init(_ box: SecretBox) { self.box = Mutex(box) }

        var now: SecretBox {
            get { box.withLock { $0 } }
            set { box.withLock { $0 = newValue } }
        }
    }

    /// That of the store whose transaction runs: rows are encoded and decoded far below of what knows it.
    @TaskLocal static var current: Place?

    /// To be asked for after the rows were read: the key may be replaced meanwhile.
    static func required() throws -> SecretBox {
        guard let current = current?.now else {
            throw Failure(code: "store-damaged", "the store is used without its key")
        }
        return current
    }

    func seal(_ text: String, for place: String) throws -> String {
        guard let key = keys.first,
            let sealed = try AES.GCM.seal(
                Data(text.utf8), using: key, authenticating: Data(place.utf8)
            ).combined
        else { throw Failure(code: "store-damaged", "a value cannot be sealed") }
        return SecretBox.mark + sealed.base64EncodedString()
    }

    func open(_ sealed: String, for place: String) throws -> String {
        guard sealed.hasPrefix(SecretBox.mark),
            let data = Data(base64Encoded: String(sealed.dropFirst(SecretBox.mark.count))),
            let box = try? AES.GCM.SealedBox(combined: data)
        else { throw Failure(code: "store-damaged", "the stored \(place) is not sealed as it should be") }
        for key in keys {
            if let text = try? AES.GCM.open(box, using: key, authenticating: Data(place.utf8)) {
                return String(decoding: text, as: UTF8.self)
            }
        }
        throw Failure(
            code: "secret-key-wrong", "the stored \(place) was sealed with another key",
            hints: [.init("put the key file back that belongs to this database")])
    }
}
