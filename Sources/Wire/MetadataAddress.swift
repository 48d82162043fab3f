// SPDX-License-Identifier: Apache-2.0
public import Glibc

/// Where clouds tell a machine its own secrets, and all other addresses that are good on one link only: no repository and no
/// receiver of reports lives there, so nothing is asked and nothing is sent there, whatever name leads to it.
public enum MetadataAddress {
    private static let ranges = [
        "169.254.0.0/16", "fe80::/10", "64:ff9b::a9fe:0/112",
        // Amazon's by IPv6, Alibaba's.
        "fd00:ec2::254", "100.100.100.200",
    ].compactMap { AddressRange($0) }

    /// - Parameter address: as inet_ntop(3) writes it.
    public static func contains(_ address: String) -> Bool { ranges.contains { $0.contains(address) } }

    /// The address, if it is one of them.
    /// - Parameter address: of a socket, valid for its family.
    public static func matching(_ address: UnsafePointer<sockaddr>) -> String? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            var value = raw.loadUnaligned(as: sockaddr_in.self).sin_addr
            inet_ntop(AF_INET, &value, &text, socklen_t(text.count))
        case AF_INET6:
            var value = raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            inet_ntop(AF_INET6, &value, &text, socklen_t(text.count))
        default: return nil
        }
        let shown = text.withUnsafeBufferPointer {
            String(decoding: $0.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return contains(shown) ? shown : nil
    }

    /// The first of a host's addresses that is one of them; nil: none is, or they cannot be had.
    public static func behind(_ host: String) -> String? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var next = list
        while let one = next?.pointee {
            if let address = one.ai_addr, let found = matching(address) { return found }
            next = one.ai_next
        }
        return nil
    }
}
