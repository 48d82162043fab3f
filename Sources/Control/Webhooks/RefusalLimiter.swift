// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// How often a source may be told that its signature is wrong. What is signed is never asked about here, so a sender with the
/// right secret is not slowed down by others behind the same address.
final class RefusalLimiter: Sendable {
    /// Seconds, as a limited source is told.
    static let retryAfter = 10
    /// Sources that are remembered; when there are more, those that were quiet are forgotten, and if that is not enough all.
    static let sources = 4096

    private struct Bucket {
        var left: Double
        var at = ContinuousClock.now
    }

    /// Refusals at once of one source, and one more each `interval`.
    private let burst: Double
    private let interval: Duration
    private let buckets = Mutex<[String: Bucket]>([:])

    init(burst: Double = 60, every interval: Duration = .seconds(1)) {
        self.burst = burst
        self.interval = interval
    }

    /// - Parameter source: an address; nil: this machine's own socket, which has no limit.
    func allows(_ source: String?) -> Bool {
        guard let source else { return true }
        return buckets.withLock { buckets in
            let now = ContinuousClock.now
            var bucket = buckets[source] ?? Bucket(left: burst)
            bucket.left = min(burst, bucket.left + (now - bucket.at) / interval)
            bucket.at = now
            let allowed = bucket.left >= 1
            if allowed { bucket.left -= 1 }
            if buckets[source] == nil, buckets.count >= RefusalLimiter.sources {
                // What was full again by now said nothing anyway.
                buckets = buckets.filter { now - $0.value.at < interval * burst }
                if buckets.count >= RefusalLimiter.sources { buckets.removeAll() }
            }
            buckets[source] = bucket
            return allowed
        }
    }
}
