// SPDX-License-Identifier: Apache-2.0

/// How reports go by mail, beside the server's address and the password.
public struct MailSettings: Sendable, Equatable, Codable {
    public static let largestRecipientCount = 50

    /// Addresses as `isAddress` takes them.
    public var from: String
    public var to: [String]
    /// nil: the server asks for none.
    public var user: String?
    /// PEM of the only authorities that may sign the server's certificate; nil: the system's.
    public var authorities: String?
    /// Says all, a password included, without TLS.
    public var isPlaintext: Bool

    public init(from: String, to: [String], user: String?, authorities: String?, isPlaintext: Bool) {
        self.from = from
        self.to = to
        self.user = user
        self.authorities = authorities
        self.isPlaintext = isPlaintext
    }

    /// `local@domain` of ASCII without quotes, comments and spaces: what can stand in a command and in a header as it is
    /// (RFC 5321, 4.1.2: Dot-string; domains of other letters in their xn-- form).
    public static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= 254, parts[0].utf8.count <= 64 else { return false }
        let atoms = Set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~".utf8)
        let labels = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-".utf8)
        func areWords(_ text: Substring, of bytes: Set<UInt8>) -> Bool {
            text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
                .allSatisfy { !$0.isEmpty && $0.allSatisfy(bytes.contains) }
        }
        return areWords(parts[0], of: atoms) && areWords(parts[1], of: labels)
    }

    /// Whether nothing that is said to a host leaves this machine.
    public static func isLoopback(_ host: String) -> Bool {
        let bytes = host.split(separator: ".", omittingEmptySubsequences: false)
        return host.lowercased() == "localhost" || host == "::1" || host == "[::1]"
            || bytes.count == 4 && bytes[0] == "127" && bytes.allSatisfy { UInt8($0) != nil }
    }
}
