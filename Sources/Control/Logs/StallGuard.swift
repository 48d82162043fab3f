// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Notes when a reader was given something, and when it had taken it.
final class StallGuard: Sendable {
    private struct State {
        var since: ContinuousClock.Instant?
        var hasStalled = false
    }
    private let patience: Duration
    private let state = Mutex(State())

    init(patience: Duration) { self.patience = patience }

    var hasStalled: Bool { state.withLock { $0.hasStalled } }
    func begin() { state.withLock { $0.since = .now } }
    func end() { state.withLock { $0.since = nil } }

    /// Calls back when the reader takes too long; returns then, or when it is cancelled. It looks a few times in
    /// the patience: two hundred readers are two hundred of these.
    func watch(_ stalled: @Sendable () -> Void) async {
        while (try? await Task.sleep(for: patience / 4)) != nil {
            let isOver = state.withLock { state in
                guard let since = state.since, .now - since > patience else { return false }
                state.hasStalled = true
                return true
            }
            if isOver { return stalled() }
        }
    }
}
