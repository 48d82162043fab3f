// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// So many of something at once, such as builds; the others wait in a fair order. Nothing is polled: whoever gives a slot
/// back hands it to the next.
public actor Slots {
    /// One that waits, and for whom.
    public struct Wait: Sendable, Equatable {
        public let target: Target
        public let number: Int
        /// `a build slot (2 of 2 taken by a/production/3, b/production/1)`
        public let on: String
        public let since: Timestamp
    }

    /// `build slot`
    private let name: String
    private let count: Int
    private var holders: [Int64: Release] = [:]
    private var line = FairLine()
    private var waiting:
        [Int64: (release: Release, since: Timestamp, go: CheckedContinuation<Void, any Error>)] =
            [:]

    public init(_ name: String, count: Int) {
        self.name = name
        self.count = max(1, count)
    }

    /// Runs `body` with a slot.
    /// - Parameter tell: is told what is waited for, if anything is, and then how long it took.
    /// - Throws: `CancellationError` when the task is cancelled while it waits; what `body` throws.
    public nonisolated func with<T: Sendable>(
        _ release: Release, tell: @Sendable (String) -> Void, _ body: @Sendable () async throws -> T
    ) async throws -> T {
        try await take(release, tell: tell)
        do {
            let result = try await body()
            await give(release)
            return result
        } catch {
            await give(release)
            throw error
        }
    }

    /// Waits for a slot. Give it back.
    public func take(_ release: Release, tell: @Sendable (String) -> Void) async throws {
        try Task.checkCancellation()
        guard holders.count >= count || !line.isEmpty else {
            holders[release.id] = release
            line.served(release.target)
            return
        }
        let since = ContinuousClock.now
        tell("Waiting for a \(reason)")
        line.join(release.target, release.id)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { go in
                waiting[release.id] = (release, .now, go)
                if Task.isCancelled { leave(release.id) }
            }
        } onCancel: {
            Task { await self.leave(release.id) }
        }
        tell("Waited \((ContinuousClock.now - since).milliseconds.rounded()) ms for a \(name)")
    }

    /// Gives a slot back; harmless when there is none.
    public func give(_ release: Release) {
        guard holders.removeValue(forKey: release.id) != nil else { return }
        while holders.count < count, let next = line.next() {
            guard let one = waiting.removeValue(forKey: next) else { continue }
            holders[next] = one.release
            one.go.resume()
        }
        if holders.isEmpty, line.isEmpty { line = FairLine() }
    }

    /// Those that wait, in no order.
    public var waits: [Wait] {
        waiting.values.map {
            Wait(target: $0.release.target, number: $0.release.number, on: "a \(reason)", since: $0.since)
        }
    }

    private func leave(_ id: Int64) {
        guard let one = waiting.removeValue(forKey: id) else { return }
        line.leave(id)
        one.go.resume(throwing: CancellationError())
    }

    private var reason: String {
        let names = holders.sorted { $0.key < $1.key }.map(\.value.upstream).joined(separator: ", ")
        return "\(name) (\(holders.count) of \(count) taken by \(names))"
    }
}

/// Who is next: of the targets that wait the one that was served the longest ago, and of those that were not served yet
/// the one whose release was accepted first. So all take turns, and none waits for a second turn of another.
struct FairLine: Sendable {
    private var entries: [(target: Target, id: Int64)] = []
    private var turns: [Target: Int] = [:]
    private var turn = 0

    var isEmpty: Bool { entries.isEmpty }

    mutating func join(_ target: Target, _ id: Int64) { entries.append((target, id)) }

    mutating func leave(_ id: Int64) { entries.removeAll { $0.id == id } }

    mutating func served(_ target: Target) {
        turn += 1
        turns[target] = turn
    }

    mutating func next() -> Int64? {
        guard
            let index = entries.indices.min(by: {
                (turns[entries[$0].target] ?? 0, entries[$0].id)
                    < (turns[entries[$1].target] ?? 0, entries[$1].id)
            })
        else { return nil }
        let entry = entries.remove(at: index)
        served(entry.target)
        return entry.id
    }
}
