// SPDX-License-Identifier: Apache-2.0

/// So many at once, and one more each interval (a token bucket).
struct Allowance: Sendable {
    let burst: Double
    let interval: Duration
    private var left: Double
    private var at = ContinuousClock.now
    private var skipped = 0

    init(burst: Double, every interval: Duration) {
        self.burst = burst
        self.interval = interval
        left = burst
    }

    /// - Returns: nil: not now; else how many were left out since the last one.
    mutating func take() -> Int? {
        let now = ContinuousClock.now
        left = min(burst, left + (now - at) / interval)
        at = now
        guard left >= 1 else {
            skipped += 1
            return nil
        }
        left -= 1
        defer { skipped = 0 }
        return skipped
    }

    /// Whether it is as if it had never been asked.
    var isWhole: Bool { ContinuousClock.now - at >= interval * burst }
}
