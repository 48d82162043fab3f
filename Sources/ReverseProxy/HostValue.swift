// SPDX-License-Identifier: Apache-2.0

/// The value of a Host field (RFC 9110, 7.2): a name or an address, and perhaps a port.
enum HostValue {
    /// Whether there is one way only to read it: `name`, `name:80`, `[::1]`, `[::1]:80`, or nothing. No user before an
    /// `@`, no second colon, and of the characters that a name may hold by the grammar those that names are made of.
    static func isPlain(_ value: ArraySlice<UInt8>) -> Bool {
        var rest = value
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let address = rest[(rest.startIndex + 1)..<end]
            guard !address.isEmpty, address.allSatisfy(isAddress) else { return false }
            rest = rest[(end + 1)...]
        } else {
            rest = rest.drop(while: isName)
        }
        if rest.isEmpty { return true }
        // A port without a host is of no use to anyone.
        guard rest.count < value.count, rest.first == UInt8(ascii: ":") else { return false }
        let port = rest.dropFirst()
        return port.count <= 5 && port.allSatisfy { (0x30...0x39).contains($0) }
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "%"),
            UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "*"), UInt8(ascii: "+"):
            true
        default: false
        }
    }

    /// Of an IPv6 address, perhaps with an IPv4 address in it.
    private static func isAddress(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66, UInt8(ascii: ":"), UInt8(ascii: "."): true
        default: false
        }
    }
}
