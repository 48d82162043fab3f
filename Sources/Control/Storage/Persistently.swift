// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// For what follows a swap: there is no way back from it, so what fails for want of a disk or of the database is tried
/// again until it goes. A server that ends before leaves it to the next, which has the record of the swap.
/// - Parameter time: how long at most; nil: for ever.
func persistently<T: Sendable>(
    for time: Duration? = .seconds(600), _ body: @Sendable () async throws -> T
) async throws -> T {
    let deadline = time.map { ContinuousClock.now + $0 }
    while true {
        do { return try await body() } catch let failure as Failure where failure.code.hasPrefix("store-") {
            if let deadline, ContinuousClock.now >= deadline { throw failure }
            // Also when the task was cancelled: nothing is left to abort.
            try await Task { try await Task.sleep(for: .milliseconds(500)) }.value
        }
    }
}
