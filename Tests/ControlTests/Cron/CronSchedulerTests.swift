// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Logging
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Control

/// What is begun when, over restarts and changes of the clock. The clock is the test's, the database a real one.
@Suite(.timeLimit(.minutes(20)))
struct CronSchedulerTests {
    private static let hello: Target = {
        guard let name = try? ServiceName("hello") else { preconditionFailure("it is a name") }
        return Target(service: name)
    }()

    /// A database in which a release is live, and servers that come and go.
    private final class World: Sendable {
        let clock = ManualClock(World.time("2026-11-23T00:00:30Z"))
        let path: String
        let store: Store
        /// Whether runs go on until ``finish()``.
        let holds = Mutex(false)
        /// What was begun: its name, and whom it replaces.
        let begun = Mutex<[(run: Run, replaces: [String])]>([])

        init(_ directory: String) async throws {
            path = "\(directory)/kinto.db"
            store = try Store(path: path)
            try await store.add(
                RegisteredService(
                    name: hello.service, source: .hosted, repository: "/nowhere", createdAt: .now,
                    webhookSecret: "secret of some length"), branch: "main")
        }

        /// A server that begins now.
        func server() -> CronScheduler {
            CronScheduler(
                store: store, clock: clock, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) {
                [self] run, _, others in
                begun.withLock { $0.append((run, others.map(\.name))) }
                for other in others { _ = try? await store.end(other) { _ in .init(.replaced) } }
                if !holds.withLock({ $0 }) {
                    _ = try? await store.end(run) { _ in .init(.succeeded, code: 0) }
                }
            }
        }

        /// Replaces what is live.
        @discardableResult
        func deploy(
            _ schedule: String?, overlap: Manifest.ProcessType.RunOverlap? = nil, zone: String? = nil
        ) async throws -> Release {
            var manifest = Manifest(start: "x")
            if let schedule {
                var type = Manifest.ProcessType(command: "work")
                (type.schedule, type.runOverlap, type.timezone) = (schedule, overlap, zone)
                manifest.processes["job"] = type
            }
            let taken = try await store.take(
                NewRelease(target: hello, commit: nil, branch: "main", trigger: .manual))
            guard case .accepted(let accepted) = taken else { throw Trouble("it was not accepted") }
            let release = accepted.release
            if let live = try await store.live(hello) {
                try await store.update(live.id) { $0.live = false }
            }
            return try await store.update(release.id) { [manifest] in
                $0.status = .deployed
                $0.live = true
                $0.manifest = manifest
            }
        }

        func look(_ scheduler: CronScheduler, at text: String) async throws -> String? {
            clock.set(World.time(text))
            let next = await scheduler.look().next
            try await settle()
            return next.map { String($0.rfc3339.prefix(16)) }
        }

        /// All that was recorded to be begun has been.
        func settle() async throws {
            try await until("what is begun") {
                let running = try await store.runs().filter { run in
                    !begun.withLock { $0.contains { $0.run.id == run.id } }
                }
                let going = try await store.runs().count
                return running.isEmpty && (holds.withLock { $0 } || going == 0)
            }
        }

        func finish() async throws {
            for run in try await store.runs() {
                _ = try await store.end(run) { _ in .init(.succeeded, code: 0) }
            }
        }

        /// When what was begun was due, oldest first.
        var due: [String] {
            begun.withLock { $0.map { String(($0.run.occasion?.due?.rfc3339 ?? "now").prefix(16)) } }
        }

        /// `missed 3`, oldest first.
        func history() async throws -> [String] {
            try await store.cronRuns(hello, type: nil, limit: 1000).reversed().map {
                let count = $0.occasion?.count ?? 1
                return ($0.end?.outcome.rawValue ?? "running") + (count > 1 ? " \(count)" : "")
            }
        }

        static func time(_ text: String) -> Timestamp {
            let date = (try? Date.ISO8601FormatStyle().parse(text)) ?? .distantPast
            return Timestamp(milliseconds: Int64(date.timeIntervalSince1970 * 1000))
        }
    }

    private func with(_ body: (World) async throws -> Void) async throws {
        try await TemporaryDirectory.with { try await body(World($0)) }
    }

    @Test func eachTimeIsBegunOnceWhoeverLooksAndHowOften() async throws {
        try await with { world in
            try await world.deploy("*/10 * * * *")
            let server = world.server()
            #expect(try await world.look(server, at: "2026-11-23T00:00:30Z") == "2026-11-23T00:10")
            #expect(world.due == [])
            #expect(try await world.look(server, at: "2026-11-23T00:10:00Z") == "2026-11-23T00:20")
            for _ in 0..<3 { _ = await server.look() }
            // The next server, and the one before, which should be dead.
            for other in [world.server(), world.server(), server] {
                _ = try await world.look(other, at: "2026-11-23T00:10:05Z")
            }
            #expect(world.due == ["2026-11-23T00:10"])
            // Both at once.
            world.clock.set(World.time("2026-11-23T00:20:00Z"))
            let servers = (0..<8).map { _ in world.server() }
            await withTaskGroup(of: Void.self) { group in
                for server in servers { group.addTask { _ = await server.look() } }
            }
            try await world.settle()
            #expect(world.due == ["2026-11-23T00:10", "2026-11-23T00:20"])
            #expect(try await world.history() == ["succeeded", "succeeded"])
        }
    }

    @Test func whatCameWhileTheServerWasAwayIsMissed() async throws {
        try await with { world in
            try await world.deploy("0 * * * *")
            _ = try await world.look(world.server(), at: "2026-11-23T00:30:00Z")
            // Three hours and a half.
            #expect(try await world.look(world.server(), at: "2026-11-23T04:06:00Z") == "2026-11-23T05:00")
            #expect(world.due == [])
            #expect(try await world.history() == ["missed 4"])
            // Again: it is one line.
            _ = try await world.look(world.server(), at: "2026-11-23T05:30:00Z")
            #expect(try await world.history() == ["missed 5"])
            // A little late is in time.
            _ = try await world.look(world.server(), at: "2026-11-23T06:04:00Z")
            #expect(world.due == ["2026-11-23T06:00"])
            // Some are missed, the last is in time.
            _ = try await world.look(world.server(), at: "2026-11-23T09:01:00Z")
            #expect(world.due == ["2026-11-23T06:00", "2026-11-23T09:00"])
            #expect(try await world.history() == ["missed 5", "succeeded", "missed 2", "succeeded"])
            let missed = try #require(
                try await world.store.cronRuns(Self.hello, type: "job", limit: 4).dropFirst().first)
            #expect(missed.occasion?.due?.rfc3339 == "2026-11-23T07:00:00.000Z")
            #expect(missed.occasion?.until?.rfc3339 == "2026-11-23T08:00:00.000Z")
        }
    }

    @Test func aClockThatGoesForwardMissesAndOneThatGoesBackRepeatsNothing() async throws {
        try await with { world in
            try await world.deploy("*/10 * * * *")
            let server = world.server()
            _ = try await world.look(server, at: "2026-11-23T00:05:00Z")
            _ = try await world.look(server, at: "2026-11-23T00:10:00Z")
            // Forward by three hours.
            #expect(try await world.look(server, at: "2026-11-23T03:11:00Z") == "2026-11-23T03:20")
            #expect(world.due == ["2026-11-23T00:10", "2026-11-23T03:10"])
            #expect(try await world.history() == ["succeeded", "missed 17", "succeeded"])
            // Back by an hour: nothing again, before the clock is where it was.
            #expect(try await world.look(server, at: "2026-11-23T02:11:00Z") == "2026-11-23T03:20")
            #expect(try await world.look(world.server(), at: "2026-11-23T03:10:30Z") == "2026-11-23T03:20")
            _ = try await world.look(server, at: "2026-11-23T03:20:00Z")
            #expect(world.due.count == 3)
            // Back by a day: it was wrong, and what runs at times that come again is no repetition.
            #expect(try await world.look(server, at: "2026-11-22T03:05:00Z") == "2026-11-22T03:10")
            _ = try await world.look(server, at: "2026-11-22T03:10:00Z")
            #expect(world.due.last == "2026-11-22T03:10")
            _ = try await world.look(server, at: "2026-11-23T00:10:00Z")
            #expect(world.due.last == "2026-11-23T00:10")
        }
    }

    /// A machine without a clock of its own begins in 1970, and is told the time a little later.
    @Test func aClockThatIsWrongForAWhileRepeatsNothing() async throws {
        try await with { world in
            try await world.deploy("*/10 * * * *")
            _ = try await world.look(world.server(), at: "2026-11-23T00:05:00Z")
            _ = try await world.look(world.server(), at: "2026-11-23T00:10:00Z")
            for _ in 0..<2 { _ = try await world.look(world.server(), at: "1970-01-01T00:00:20Z") }
            #expect(try await world.look(world.server(), at: "2026-11-23T00:11:00Z") == "2026-11-23T00:20")
            #expect(world.due == ["2026-11-23T00:10"])
            #expect(try await world.history() == ["succeeded"])
            _ = try await world.look(world.server(), at: "1970-01-01T00:00:20Z")
            _ = try await world.look(world.server(), at: "2026-11-23T00:41:00Z")
            #expect(world.due == ["2026-11-23T00:10", "2026-11-23T00:40"])
            #expect(try await world.history() == ["succeeded", "missed 2", "succeeded"])
        }
    }

    /// Whatever the clock does within three hours back, and however often the server is started: each time comes once, as a
    /// run or as missed.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func nothingIsRepeatedAndNothingLost(seed: UInt64) async throws {
        try await with { world in
            try await world.deploy("*/10 * * * *")
            var random = SplitMix(state: seed)
            let start = World.time("2026-11-23T00:00:30Z")
            var (server, now, highest) = (world.server(), start, start)
            _ = await server.look()
            for _ in 0..<120 {
                let minutes: Int64 =
                    switch Int.random(in: 0...9, using: &random) {
                    case 0: -Int64.random(in: 0...180, using: &random)
                    case 1: Int64.random(in: 0...600, using: &random)
                    case 2: 0
                    default: Int64.random(in: 1...12, using: &random)
                    }
                // Never back by more than three hours from where it was.
                let back = highest.milliseconds - 3 * 3_600_000
                now = Timestamp(milliseconds: max(back, now.milliseconds + minutes * 60_000))
                highest = max(highest, now)
                if Int.random(in: 0...3, using: &random) == 0 { server = world.server() }
                world.clock.set(now)
                for _ in 0..<Int.random(in: 1...2, using: &random) { _ = await server.look() }
                try await world.settle()
            }
            #expect(Set(world.due).count == world.due.count)
            let runs = try await world.store.cronRuns(Self.hello, type: "job", limit: 10_000)
            let missed = runs.reduce(0) { $0 + ($1.end?.outcome == .missed ? $1.occasion?.count ?? 0 : 0) }
            let all = (highest.milliseconds / 600_000) - (start.milliseconds / 600_000)
            #expect(Int64(world.due.count + missed) == all)
            #expect(missed > 0 && world.due.count > 5)
        }
    }

    @Test func overlapsAreForbiddenAllowedOrReplaceWhatRuns() async throws {
        try await with { world in
            world.holds.withLock { $0 = true }
            let server = world.server()
            try await world.deploy("*/10 * * * *")
            _ = try await world.look(server, at: "2026-11-23T00:05:00Z")
            for minute in [10, 20, 30] { _ = try await world.look(server, at: "2026-11-23T00:\(minute):00Z") }
            #expect(try await world.history() == ["running", "skipped 2"])
            try await world.finish()
            _ = try await world.look(server, at: "2026-11-23T00:40:00Z")
            #expect(try await world.history() == ["succeeded", "skipped 2", "running"])
            try await world.finish()

            try await world.deploy("*/10 * * * *", overlap: .allow)
            _ = try await world.look(server, at: "2026-11-23T00:50:00Z")
            _ = try await world.look(server, at: "2026-11-23T01:00:00Z")
            #expect(try await world.store.runs().count == 2)
            // Within reason.
            for minute in 10..<30 {
                _ = try await world.look(server, at: "2026-11-23T0\(minute / 6):\(minute % 6)0:00Z")
            }
            #expect(try await world.store.runs().count == Store.mostAtOnce)
            try await world.finish()

            try await world.deploy("*/10 * * * *", overlap: .replace)
            _ = try await world.look(server, at: "2026-11-23T06:00:00Z")
            let old = try #require(try await world.store.runs().first)
            _ = try await world.look(server, at: "2026-11-23T06:10:00Z")
            #expect(world.begun.withLock { $0.last?.replaces } == [old.name])
            try await until("it is replaced") {
                try await world.store.runs().map(\.id).contains(old.id) == false
            }
            #expect(Array(try await world.history().suffix(2)) == ["replaced", "running"])
            try await world.finish()
        }
    }

    @Test func whatIsSuspendedRunsNothingAndMissesNothing() async throws {
        try await with { world in
            let server = world.server()
            try await world.deploy("*/10 * * * *")
            _ = try await world.look(server, at: "2026-11-23T00:05:00Z")
            try await world.store.update(Self.hello) { $0.suspended = true }
            #expect(try await world.look(server, at: "2026-11-23T00:10:00Z") == nil)
            #expect(try await world.look(world.server(), at: "2026-11-23T05:00:00Z") == nil)
            try await world.store.update(Self.hello) { $0.suspended = false }
            #expect(try await world.look(server, at: "2026-11-23T06:05:00Z") == "2026-11-23T06:10")
            #expect(try await world.history() == [])
            // Between the look and the record.
            try await world.store.update(Self.hello) { $0.suspended = true }
            let process = try #require(try await world.store.live(Self.hello)?.manifest?.scheduled().first)
            let beginning = try await CronScheduler.begin(
                process, of: Self.hello, release: 1, due: World.time("2026-11-23T06:10:00Z"), by: nil,
                in: world.store
            ) { _, _, _ in }
            #expect(beginning == .void)
        }
    }

    @Test func aReleaseBringsItsSchedules() async throws {
        try await with { world in
            let server = world.server()
            try await world.deploy("*/10 * * * *")
            _ = try await world.look(server, at: "2026-11-23T00:05:00Z")
            // The same times: nothing is lost or repeated at the change.
            let second = try await world.deploy("*/10 * * * *")
            _ = try await world.look(server, at: "2026-11-23T00:10:00Z")
            #expect(world.begun.withLock { $0.map(\.run.release) } == [second.number])
            // Other times: from now on, and not for what was before.
            try await world.deploy("0 * * * *", zone: "Asia/Kolkata")
            #expect(try await world.look(server, at: "2026-11-23T00:31:00Z") == "2026-11-23T01:30")
            // None any more, and one again.
            try await world.deploy(nil)
            #expect(try await world.look(server, at: "2026-11-23T02:00:00Z") == nil)
            try await world.deploy("0 * * * *")
            #expect(try await world.look(server, at: "2026-11-23T04:30:00Z") == "2026-11-23T05:00")
            #expect(try await world.history() == ["succeeded"])
            // Another name of the service is the same service.
            try await world.store.renameService(Self.hello.service, to: ServiceName("hallo"), repository: nil)
            _ = try await world.look(server, at: "2026-11-23T05:00:00Z")
            #expect(world.due.last == "2026-11-23T05:00")
            let renamed = Target(service: try ServiceName("hallo"))
            #expect(
                try await world.store.cronRuns(renamed, type: nil, limit: 10).map(\.target) == [
                    renamed, renamed,
                ])
            // A service that is gone.
            try await world.store.remove(renamed.service)
            #expect(try await world.look(server, at: "2026-11-23T06:00:00Z") == nil)
            #expect(try await world.store.cronMarks().isEmpty)
        }
    }

    @Test func itWaitsForTheNextTimeForTheClockAndForChanges() async throws {
        try await with { world in
            let server = world.server()
            let running = Task { await server.run() }
            defer { running.cancel() }
            try await until("it sleeps") { world.clock.alarms == [nil] }
            // A release wakes it.
            try await world.deploy("*/10 * * * *")
            try await until("it waits") { world.clock.alarms == [World.time("2026-11-23T00:10:00Z")] }
            world.clock.set(World.time("2026-11-23T00:09:59Z"))
            try await until("it waits on") { world.clock.alarms == [World.time("2026-11-23T00:10:00Z")] }
            #expect(world.due == [])
            world.clock.set(World.time("2026-11-23T00:10:00Z"))
            try await until("it ran") { world.due == ["2026-11-23T00:10"] }
            try await until("it waits again") { world.clock.alarms == [World.time("2026-11-23T00:20:00Z")] }
            // Set back by a day.
            world.clock.set(World.time("2026-11-22T00:00:00Z"))
            try await until("it goes by what the clock shows") {
                world.clock.alarms == [World.time("2026-11-22T00:10:00Z")]
            }
            running.cancel()
            await running.value
            try await until("it is awake") { world.clock.alarms.isEmpty }
        }
    }

    @Test func oldRunsAreForgottenAndWhatIsToEndDoesNotBegin() async throws {
        try await with { world in
            let server = world.server()
            try await world.deploy("* * * * *")
            _ = try await world.look(server, at: "2026-11-23T00:00:10Z")
            for minute in 10..<20 { _ = try await world.look(server, at: "2026-11-23T00:\(minute):00Z") }
            world.holds.withLock { $0 = true }
            _ = try await world.look(server, at: "2026-11-23T00:20:00Z")
            let gone = try await world.store.forgetRuns(Self.hello, type: "job", beyond: 3)
            #expect(gone.count == 8)
            #expect(try await world.history() == ["succeeded", "succeeded", "succeeded", "running"])
            // Forgotten is not unseen.
            _ = try await world.look(world.server(), at: "2026-11-23T00:20:10Z")
            #expect(world.due.count == 11)
            let run = try #require(try await world.store.runs().first)
            #expect(try await world.store.stop(run, as: .stopped)?.stopping == .stopped)
            let me = try #require(ProcessIdentity(running: getpid()))
            await #expect(throws: Failure.self) { try await world.store.begin(run, under: me) }
            try await world.finish()
        }
    }

    /// Who takes a copy over has nothing to do with what runs here.
    @Test func aBackupKnowsOfNoProcess() async throws {
        try await with { world in
            world.holds.withLock { $0 = true }
            try await world.deploy("* * * * *")
            _ = try await world.look(world.server(), at: "2026-11-23T00:00:10Z")
            _ = try await world.look(world.server(), at: "2026-11-23T00:01:00Z")
            let run = try #require(try await world.store.runs().first)
            try await world.store.begin(run, under: try #require(ProcessIdentity(running: getpid())))
            #expect(try await world.store.runs().first?.supervisor != nil)
            let place = "\(Files.parent(of: world.path))/copy"
            try Files.makeDirectories(place)
            _ = try Store.copy(world.path, to: "\(place)/kinto.db")
            try FileManager.default.copyItem(
                atPath: "\(Files.parent(of: world.path))/secret.key", toPath: "\(place)/secret.key")
            let copy = try Store(path: "\(place)/kinto.db")
            #expect(try await copy.runs().map(\.name) == [run.name])
            #expect(try await copy.runs().first?.supervisor == nil)
            try await world.finish()
        }
    }

    @Test func theSystemsClockRings() async throws {
        let clock = SystemClock()
        let now = clock.now
        let soon = Timestamp(milliseconds: now.milliseconds + 30)
        await clock.sleep(until: soon, since: now)
        #expect(clock.now >= soon)
        await clock.sleep(until: Timestamp(milliseconds: -5), since: now)
        // It was set back meanwhile.
        await clock.sleep(until: nil, since: Timestamp(milliseconds: now.milliseconds + 1_000_000))
        let task = Task { await clock.sleep(until: nil, since: now) }
        task.cancel()
        await task.value
    }
}

/// A clock that shows what the test wants; to set it wakes who sleeps, as setting the real one does.
private final class ManualClock: WallClock {
    private struct State {
        var now: Timestamp
        var next = 0
        var sleepers: [Int: (until: Timestamp?, wake: AsyncStream<Void>.Continuation)] = [:]
    }
    private let state: Mutex<State>

    init(_ now: Timestamp) { state = Mutex(State(now: now)) }

    var now: Timestamp { state.withLock { $0.now } }
    /// What is waited for.
    var alarms: [Timestamp?] { state.withLock { $0.sleepers.values.map(\.until) } }

    func set(_ now: Timestamp) {
        let sleepers = state.withLock { state in
            state.now = now
            return Array(state.sleepers.values)
        }
        for sleeper in sleepers { sleeper.wake.finish() }
    }

    func sleep(until moment: Timestamp?, since seen: Timestamp) async {
        let (stream, wake) = AsyncStream<Void>.makeStream()
        let number: Int? = state.withLock { state in
            guard state.now == seen, moment.map({ $0 > seen }) ?? true else { return nil }
            state.next += 1
            state.sleepers[state.next] = (moment, wake)
            return state.next
        }
        guard let number else { return }
        for await _ in stream { break }
        _ = state.withLock { $0.sleepers.removeValue(forKey: number) }
    }
}
