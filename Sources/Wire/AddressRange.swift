// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// An IP address or a block of them: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32` (RFC 4632, RFC 4291).
public struct AddressRange: Sendable, Hashable, Codable, CustomStringConvertible {
    public let description: String
    private let bytes: [UInt8]
    private let prefix: Int

    /// nil when it is no address, or the prefix is longer than the address.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = AddressRange.bytes(String(first)) else { return nil }
        if parts.count == 2 {
            guard let prefix = Int(parts[1]), (0...bytes.count * 8).contains(prefix) else { return nil }
            self.prefix = prefix
        } else {
            prefix = bytes.count * 8
        }
        self.bytes = bytes
        description = text
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let range = AddressRange(text) else { throw WireError.malformed("address '\(text)'") }
        self = range
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// - Parameter address: as inet_ntop(3) writes it; an IPv4 address mapped to IPv6 counts as IPv4.
    public func contains(_ address: String) -> Bool {
        guard var other = AddressRange.bytes(address) else { return false }
        if bytes.count == 4, other.count == 16, other[..<10].allSatisfy({ $0 == 0 }), other[10] == 255,
            other[11] == 255
        {
            other.removeFirst(12)
        }
        guard other.count == bytes.count else { return false }
        for (index, (one, two)) in zip(bytes, other).enumerated() {
            let bits = min(8, prefix - index * 8)
            if bits <= 0 { return true }
            if (one ^ two) >> UInt8(8 - bits) != 0 { return false }
        }
        return true
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
