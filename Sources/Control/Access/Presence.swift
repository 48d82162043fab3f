// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Synchronization

/// Streams that are open, by whose they are, so that they end when the account does.
final class Presence: Sendable {
    private struct State {
        var next: UInt64 = 1
        /// When an account was ended, in the same count as `now`.
        var ended: [Principal.Account: UInt64] = [:]
        var open: [Principal.Account: [UInt64: @Sendable () -> Void]] = [:]
    }

    private let state = Mutex(State())

    /// To be read before an account is looked up: what is ended after that is known by it.
    var now: UInt64 { state.withLock { $0.next } }

    /// - Parameter cut: called at most once.
    /// - Returns: nil when the account was ended since then.
    func enter(_ account: Principal.Account, since: UInt64, cut: @escaping @Sendable () -> Void) -> UInt64? {
        state.withLock { state in
            guard state.ended[account] ?? 0 < since else { return nil }
            state.next += 1
            state.open[account, default: [:]][state.next] = cut
            return state.next
        }
    }

    func leave(_ account: Principal.Account, _ number: UInt64) {
        state.withLock { state in
            state.open[account]?[number] = nil
            if state.open[account]?.isEmpty == true { state.open[account] = nil }
        }
    }

    /// To be called when it is ended on record.
    func end(_ account: Principal.Account) {
        let streams = state.withLock { state in
            // Below every `now` that is read from here on, and not below any that was read before.
            state.ended[account] = state.next
            state.next += 1
            return state.open.removeValue(forKey: account) ?? [:]
        }
        for cut in streams.values { cut() }
    }
}
