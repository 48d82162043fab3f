// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation
internal import Glibc
internal import Wire

/// The key that the store's secrets are sealed with: 32 bytes in a file of their own, which only its owner may read.
struct SecretKey: Sendable, Equatable {
    let bytes: [UInt8]

    private static let mark = "kinto-secret-key-1 "

    static func random() -> SecretKey {
        SecretKey(bytes: SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) })
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// nil when there is no such file.
    /// - Throws: `Failure` of code `secret-key-unusable`; the file is never changed or replaced.
    static func read(_ path: String) throws -> SecretKey? {
        let file: Descriptor
        do { file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) } catch {
            if error.code == ENOENT { return nil }
            throw unusable(path, "it cannot be opened: \(error)")
        }
        var status = stat()
        guard fstat(file.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw unusable(path, "it is not a regular file")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw Failure(
                code: "secret-key-unusable",
                "the key file \(path) is open to other users (mode \(String(status.st_mode & 0o777, radix: 8)))",
                hints: [
                    .init("close it", command: "chmod 600 \(path)"),
                    .init(
                        "if somebody may have read it, replace it then", command: "kinto secret-key rotate"),
                ])
        }
        guard status.st_uid == geteuid() else { throw unusable(path, "it belongs to another user") }
        let text = String(decoding: (try? file.readAll(limit: 1024)) ?? [], as: UTF8.self)
        guard text.hasPrefix(mark), text.hasSuffix("\n"),
            let data = Data(base64Encoded: String(text.dropFirst(mark.count).dropLast())), data.count == 32
        else { throw unusable(path, "it does not hold a key") }
        return SecretKey(bytes: Array(data))
    }

    func write(to path: String) throws {
        let text = SecretKey.mark + Data(bytes).base64EncodedString() + "\n"
        do { try Files.replace(path, with: Array(text.utf8)) } catch {
            throw Failure(code: "secret-key-unusable", "the key file \(path) cannot be written: \(error)")
        }
    }

    private static func unusable(_ path: String, _ why: String) -> Failure {
        Failure(
            code: "secret-key-unusable", "the key file \(path) cannot be used: \(why)",
            hints: [.init("put the file back that belongs to this home, of mode 0600")])
    }
}
