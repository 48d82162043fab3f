// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// For what follows a swap: there is no way back from it, so what fails for want of a disk or of the database is tried
/// again until it goes, at most ten minutes. A server that ends before leaves it to the next, which has the record of
/// the swap.
func persistently<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
    let deadline = ContinuousClock.now + .seconds(600)
    while true {
        do { return try await body() } catch let failure as Failure where failure.code.hasPrefix("store-") {
            guard ContinuousClock.now < deadline else { throw failure }
            // Also when the task was cancelled: nothing is left to abort.
            try await Task { try await Task.sleep(for: .milliseconds(500)) }.value
        }
    }
}
