// SPDX-License-Identifier: Apache-2.0

/// What some work gives, if it comes to its end in time. Safe to call from any task.
/// - Returns: nil when the time is over: the work is cancelled then, and not waited for.
public func atMost<T: Sendable>(_ time: Duration, _ work: @escaping @Sendable () async -> T) async -> T? {
    let (results, end) = AsyncStream<T?>.makeStream()
    let tasks = [
        Task { _ = end.yield(await work()) },
        Task {
            try? await Task.sleep(for: time)
            _ = end.yield(nil)
        },
    ]
    defer { for task in tasks { task.cancel() } }
    for await result in results { return result }
    return nil
}
