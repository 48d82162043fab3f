// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization
internal import Wire

/// How many visitors' connections there are from each address, or network of IPv6, of all workers together.
final class AddressCounts: Sendable {
    private let counts = Mutex<[[UInt8]: Int]>([:])
    private let most: Int
    private let mostLoopback: Int

    init(_ limits: ProxyLimits = ProxyLimits()) {
        most = limits.addressConnections
        mostLoopback = limits.loopbackConnections
    }

    private func limit(_ address: [UInt8]) -> Int {
        address.starts(with: "127.".utf8) || address.elementsEqual("::1".utf8) ? mostLoopback : most
    }

    /// False when there are as many as there may be.
    func enter(_ address: [UInt8]) -> Bool {
        let limit = limit(address)
        guard limit < .max else { return true }
        let network = AddressCounts.network(address)
        return counts.withLock { counts in
            guard counts[network, default: 0] < limit else { return false }
            counts[network, default: 0] += 1
            return true
        }
    }

    /// Once for each that entered.
    func leave(_ address: [UInt8]) {
        guard limit(address) < .max else { return }
        let network = AddressCounts.network(address)
        counts.withLock { counts in
            guard let count = counts[network] else { return }
            counts[network] = count > 1 ? count - 1 : nil
        }
    }

    /// An address of IPv4, or the 64 bits of one of IPv6 that name the network: the rest its owner may choose (RFC 4291,
    /// 2.5.1).
    private static func network(_ address: [UInt8]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, String(decoding: address, as: UTF8.self), &bytes) == 1 else {
            return address
        }
        return Array(bytes.prefix(8))
    }
}
