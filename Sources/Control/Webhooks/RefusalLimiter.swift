// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// How often a source may be told that its signature is wrong. What is signed is never asked about here, so a sender with the
/// right secret is not slowed down by others behind the same address.
final class RefusalLimiter: Sendable {
    /// Seconds, as a limited source is told.
    static let retryAfter = 10
    /// Sources that are remembered; when there are more, those that were quiet are forgotten, and if that is not enough all.
    static let sources = 4096

    /// Of one source.
    private let fresh: Allowance
    private let allowances = Mutex<[String: Allowance]>([:])

    init(burst: Double = 60, every interval: Duration = .seconds(1)) {
        fresh = Allowance(burst: burst, every: interval)
    }

    /// - Parameter source: an address; nil: this machine's own socket, which has no limit.
    func allows(_ source: String?) -> Bool {
        guard let source else { return true }
        return allowances.withLock { allowances in
            if allowances[source] == nil, allowances.count >= RefusalLimiter.sources {
                // What is whole again said nothing anyway.
                allowances = allowances.filter { !$0.value.isWhole }
                if allowances.count >= RefusalLimiter.sources { allowances.removeAll() }
            }
            return allowances[source, default: fresh].take() != nil
        }
    }
}
