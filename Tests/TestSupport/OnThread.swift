// SPDX-License-Identifier: Apache-2.0
internal import Dispatch

/// Runs what blocks on a thread of its own: the test runner has only as many as there are processors, and one that
/// waits holds up the other tests.
public func onThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    precondition(TestProcess.outlivesItsReaders)
    return await withCheckedContinuation { continuation in
        DispatchQueue(label: "kinto.test").async { continuation.resume(returning: body()) }
    }
}
