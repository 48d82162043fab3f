// SPDX-License-Identifier: Apache-2.0
public import KintoCore

/// One change at a time of what serves a target: a swap, an undo, a stop. Each reads what serves now inside, so that
/// none acts on what another has changed.
public actor SwapGate {
    private var held: Set<Target> = []
    private var waiting: [Target: [CheckedContinuation<Void, Never>]] = [:]

    public init() {}

    /// Waits its turn, in order; not to be nested for one target.
    public nonisolated func with<T: Sendable>(
        _ target: Target, _ body: @Sendable () async throws -> T
    ) async rethrows -> T {
        await enter(target)
        do {
            let result = try await body()
            await leave(target)
            return result
        } catch {
            await leave(target)
            throw error
        }
    }

    private func enter(_ target: Target) async {
        guard !held.insert(target).inserted else { return }
        await withCheckedContinuation { waiting[target, default: []].append($0) }
    }

    private func leave(_ target: Target) {
        if var queue = waiting[target], !queue.isEmpty {
            let next = queue.removeFirst()
            waiting[target] = queue.isEmpty ? nil : queue
            next.resume()
        } else {
            held.remove(target)
        }
    }
}
