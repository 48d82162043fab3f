// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import Wire

/// How many visitors' connections there are from each address, of all workers together.
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
        return counts.withLock { counts in
            guard counts[address, default: 0] < limit else { return false }
            counts[address, default: 0] += 1
            return true
        }
    }

    /// Once for each that entered.
    func leave(_ address: [UInt8]) {
        guard limit(address) < .max else { return }
        counts.withLock { counts in
            guard let count = counts[address] else { return }
            counts[address] = count > 1 ? count - 1 : nil
        }
    }
}
