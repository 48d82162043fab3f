// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Synchronization
import Testing
import Wire

@testable import Runner

/// A clock that stands still until it is told to go on.
private final class ManualClock: Clock, Sendable {
    struct Instant: InstantProtocol {
        var offset: Swift.Duration = .zero
        func advanced(by duration: Swift.Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Swift.Duration { other.offset - offset }
        static func < (a: Instant, b: Instant) -> Bool { a.offset < b.offset }
    }
    private struct Sleeper {
        let until: Instant
        let id: Int
        let resume: CheckedContinuation<Void, any Error>
    }
    private struct State {
        var now = Instant()
        var next = 0
        var sleepers: [Sleeper] = []
        var cancelled: Set<Int> = []
    }
    private let state = Mutex(State())

    var now: Instant { state.withLock { $0.now } }
    var minimumResolution: Swift.Duration { .zero }
    var sleeping: Int { state.withLock { $0.sleepers.count } }

    func sleep(until deadline: Instant, tolerance: Swift.Duration?) async throws {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isOver = state.withLock { state -> Result<Void, any Error>? in
                    if state.cancelled.contains(id) { return .failure(CancellationError()) }
                    if deadline <= state.now { return .success(()) }
                    state.sleepers.append(Sleeper(until: deadline, id: id, resume: continuation))
                    return nil
                }
                if let isOver { continuation.resume(with: isOver) }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                state.cancelled.insert(id)
                let index = state.sleepers.firstIndex { $0.id == id }
                return index.map { state.sleepers.remove(at: $0) }
            }
            sleeper?.resume.resume(throwing: CancellationError())
        }
    }

    func advance(by duration: Swift.Duration) {
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let due = state.sleepers.filter { $0.until <= state.now }
            state.sleepers.removeAll { $0.until <= state.now }
            return due
        }
        for sleeper in due { sleeper.resume.resume() }
    }
}

@Suite(.timeLimit(.minutes(20)))
struct DeadlinesTests {
    private func step(_ number: Int, _ stage: Stage, limit: Int = 30) throws -> Deadlines.Step {
        Deadlines.Step(
            target: Target(service: try ServiceName("hello")), number: number, stage: stage, since: .now,
            limit: .seconds(limit))
    }

    /// Waits until so many timers run on the clock.
    private func timers(_ count: Int, _ clock: ManualClock) async {
        while clock.sleeping != count { await Task.yield() }
    }

    @Test func aStepThatIsLateIsEndedOnceAndAfterItsGrace() async throws {
        let clock = ManualClock()
        let (late, told) = AsyncStream<(Deadlines.Step, Int64)>.makeStream()
        let deadlines = Deadlines(clock: clock, grace: .seconds(10))
        await deadlines.use { told.yield(($0, $1)) }
        let build = try step(3, .build)
        await deadlines.enter(7, build)
        await timers(1, clock)
        clock.advance(by: .seconds(30))
        // The grace begins.
        await timers(1, clock)
        #expect(await deadlines.all == [build])
        clock.advance(by: .seconds(10))
        var iterator = late.makeAsyncIterator()
        let first = await iterator.next()
        #expect(first?.0 == build)
        #expect(first?.1 == 7)
        #expect(build.failure.code == "stage-overdue")
    }

    @Test func aStepThatGoesOnOrEndsIsNotEnded() async throws {
        let clock = ManualClock()
        let ended = Mutex<[Int64]>([])
        let deadlines = Deadlines(clock: clock, grace: .seconds(10))
        await deadlines.use { _, id in ended.withLock { $0.append(id) } }
        await deadlines.enter(1, try step(1, .fetch))
        await deadlines.enter(2, try step(1, .fetch))
        await timers(2, clock)
        clock.advance(by: .seconds(29))
        await deadlines.enter(1, try step(1, .build))
        await deadlines.leave(2)
        await timers(1, clock)
        clock.advance(by: .seconds(29))
        #expect(await deadlines.all.map(\.stage) == [.build])
        await deadlines.leave(1)
        await timers(0, clock)
        #expect(ended.withLock { $0 } == [])
        #expect(await deadlines.all.isEmpty)
    }

    /// No limit of kinto's own is shorter than what the settings allow within the step.
    @Test(arguments: Stage.allCases)
    func theLimitOfAStepIsLongerThanWhatItsSettingsAllow(stage: Stage) throws {
        var manifest = Manifest(start: "x")
        manifest.build.timeout = .seconds(3600)
        manifest.probe.deadline = .seconds(120)
        manifest.release = .init(command: "x")
        manifest.rollout.drain = .seconds(500)
        manifest.rollout.stop.grace = .seconds(200)
        let limit = StageLimit.of(
            stage, manifest, previous: manifest, groups: manifest.groups(scale: ["web": 3]),
            fetch: .seconds(600)
        ).milliseconds
        let least =
            switch stage {
            case .fetch: 1_200_000
            case .build: 3_600_000
            case .store: 600_000 + 700_000
            case .start: 0
            case .probe: 360_000
            case .swap: 700_000
            case .drain: 500_000
            }
        #expect(limit > least)
        #expect(limit < 3 * 3_600_000)
    }
}
