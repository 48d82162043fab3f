// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Synchronization
import Testing
import Wire

@testable import Runner

@Suite(.timeLimit(.minutes(20)))
struct QueueSlotsTests {
    private static func release(_ id: Int64, of service: String) throws -> Release {
        Release(
            id: id, target: Target(service: try ServiceName(service)), number: Int(id), commit: nil,
            branch: "main",
            trigger: .push, createdAt: .now)
    }

    /// What ran, and how much at once.
    private final class Seen: Sendable {
        let state = Mutex((order: [Int64](), now: 0, most: 0))

        func begin(_ id: Int64) {
            state.withLock {
                $0.order.append(id)
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
        }

        func end() { state.withLock { $0.now -= 1 } }
    }

    private final class Told: Sendable {
        let lines = Mutex<[String]>([])

        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private static func target(_ name: String) throws -> Target { Target(service: try ServiceName(name)) }

    /// Waits until so many wait.
    private static func until(_ count: Int, wait slots: Slots) async {
        while await slots.waits.count != count { await Task.yield() }
    }

    @Test func thoseThatWaitTakeTurnsInTheOrderOfAcceptance() throws {
        var line = FairLine()
        line.served(try Self.target("a"))
        // a had a turn already; c was accepted before b.
        line.join(try Self.target("a"), 4)
        line.join(try Self.target("b"), 9)
        line.join(try Self.target("c"), 7)
        #expect([line.next(), line.next(), line.next(), line.next()] == [7, 9, 4, nil])
    }

    @Test func aServiceThatAlwaysHasAnotherOneStarvesNobody() throws {
        var line = FairLine()
        for index in 0..<50 { line.join(try Self.target("s\(index)"), Int64(100 + index)) }
        var served: [String: Int] = [:]
        for id in 0..<200 {
            // Older ones of one service come again and again.
            line.join(try Self.target("greedy"), Int64(id - 1000))
            guard let next = line.next() else { break }
            served[next < 0 ? "greedy" : "\(next)", default: 0] += 1
            line.leave(Int64(id - 1000))
        }
        #expect(served.count == 51)
        for index in 0..<50 { #expect(served["\(100 + index)"] == 1) }
    }

    /// Scenario 76, without the services.
    @Test func neverMoreThanTheCountAndAllGetThrough() async throws {
        let slots = Slots("build slot", count: 4)
        let seen = Seen()
        let first = try (1...4).map { try Self.release(Int64($0), of: "first\($0)") }
        for one in first { try await slots.take(one) { _ in } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for id in (5...54).reversed() {
                let release = try Self.release(Int64(id), of: "s\(id)")
                group.addTask {
                    try await slots.with(release, tell: { _ in }) {
                        seen.begin(release.id)
                        for _ in 0..<20 { await Task.yield() }
                        seen.end()
                    }
                }
            }
            await Self.until(50, wait: slots)
            for one in first { await slots.give(one) }
            try await group.waitForAll()
        }
        let (started, most) = seen.state.withLock { ($0.order, $0.most) }
        #expect(most <= 4)
        #expect(Set(started) == Set(5...54))
        // Of four that are handed their slots together any may be seen first.
        for (index, id) in started.enumerated() { #expect(abs(Int(id) - 5 - index) <= 8) }
        #expect(await slots.waits.isEmpty)
    }

    @Test func oneThatIsCancelledLeavesTheLineAndTakesNoSlot() async throws {
        let slots = Slots("build slot", count: 1)
        let holder = try Self.release(1, of: "a")
        let told = Told()
        try await slots.take(holder) { _ in }
        let (second, third) = (try Self.release(2, of: "b"), try Self.release(3, of: "c"))
        let cancelled = Task {
            try await slots.take(second) { told.add($0) }
        }
        await Self.until(1, wait: slots)
        let next = Task { try await slots.take(third) { _ in } }
        await Self.until(2, wait: slots)
        #expect(
            await slots.waits.first { $0.number == 2 }?.on.hasPrefix("a build slot (1 of 1 taken by") == true)
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        await slots.give(holder)
        try await next.value
        #expect(told.lines.withLock { $0 } == ["Waiting for a build slot (1 of 1 taken by a/production/1)"])
        // A task that is cancelled already does not take one either.
        await slots.give(third)
        await slots.give(third)
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            try await slots.take(second) { _ in }
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
        try await slots.take(holder) { _ in }
    }
}
