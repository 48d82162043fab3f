// SPDX-License-Identifier: Apache-2.0

/// The name of a user or a token: a word or an address that no page, log or terminal can mistake for something else.
/// Upper and lower case are the same name.
public struct AccountName: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// - Throws: `Failure` of code `invalid-name`, which says what is allowed.
    public init(_ text: String) throws(Failure) {
        func alphanumeric(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        let bytes = Array(text.utf8)
        let others = Array("._@+-".utf8)
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 64, alphanumeric(first),
            alphanumeric(last), bytes.allSatisfy({ alphanumeric($0) || others.contains($0) })
        else {
            let shown = text.unicodeScalars.prefix(40).map { $0.escaped(asASCII: true) }.joined()
            throw Failure(
                code: "invalid-name",
                "'\(shown)\(bytes.count > 40 ? "…" : "")' is no name of an account: 1 to 64 of a-z, A-Z, 0-9 and '._@+-', "
                    + "beginning and ending with a letter or digit")
        }
        description = text
    }
}
