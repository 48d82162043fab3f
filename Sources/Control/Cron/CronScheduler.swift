// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore
internal import Logging
internal import Wire

/// Waits for the times at which types with a schedule are due, and begins them. What counts is what is live at each look, so
/// that a release, a rollback, a suspension or another name need no word of their own: each is a change of the database,
/// after which it looks again.
actor CronScheduler {
    /// Starts a run that is on record, after the others have ended.
    typealias CarryOut = @Sendable (Run, ScheduledProcess, [Run]) async -> Void

    private struct Key: Hashable {
        let target: Target
        let type: String
    }

    /// What could not be read or written is tried again after so long, in milliseconds.
    private static let rest: Int64 = 5_000
    /// Changes of the database that come within this are looked at together.
    private static let pause = Duration.milliseconds(500)

    private let store: Store
    private let clock: any WallClock
    private let logger: Logger
    private let carryOut: CarryOut
    /// Of live releases, by the store's key of them.
    private var processes: [Int64: [ScheduledProcess]] = [:]
    private var isTroubled = false

    init(store: Store, clock: any WallClock, logger: Logger, carryOut: @escaping CarryOut) {
        self.store = store
        self.clock = clock
        self.logger = logger
        self.carryOut = carryOut
    }

    /// Until it is cancelled.
    func run() async {
        let (wakes, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let changes = store.changes()
        let listening = Task {
            for await _ in changes {
                wake.yield()
                // Many triggers are many changes, and schedules are of minutes: what is due is looked at anew in any case.
                try? await Task.sleep(for: CronScheduler.pause)
            }
        }
        var alarm: Task<Void, Never>?
        wake.yield()
        for await _ in wakes {
            alarm?.cancel()
            let (now, next) = await look()
            alarm = Task { [clock] in
                await clock.sleep(until: next, since: now)
                if !Task.isCancelled { wake.yield() }
            }
        }
        alarm?.cancel()
        listening.cancel()
    }

    /// Begins what is due.
    /// - Returns: the time, and when the next is due.
    func look() async -> (now: Timestamp, next: Timestamp?) {
        let now = clock.now
        do {
            let places = try await store.cronPlaces()
            try await learn(places)
            var marks = Dictionary(
                try await store.cronMarks().map { (Key(target: $0.target, type: $0.type), $0) },
                uniquingKeysWith: { $1 })
            var next: Timestamp?
            for place in places {
                for process in processes[place.release] ?? [] {
                    let mark = marks.removeValue(forKey: Key(target: place.target, type: process.type))
                    let seen = try await see(process, place, mark, now)
                    guard let time = process.schedule.next(after: max(seen, now), in: process.zone) else {
                        continue
                    }
                    next = min(next ?? time, time)
                }
            }
            // What is not live any more begins anew when it comes back.
            for mark in marks.values { try await store.remove(mark) }
            isTroubled = false
            return (now, next)
        } catch {
            if !isTroubled { logger.error("schedules cannot be seen to", metadata: ["error": "\(error)"]) }
            isTroubled = true
            return (now, Timestamp(milliseconds: now.milliseconds &+ CronScheduler.rest))
        }
    }

    private func learn(_ places: [Store.CronPlace]) async throws {
        var known: [Int64: [ScheduledProcess]] = [:]
        for place in places {
            if let same = processes[place.release] {
                known[place.release] = same
            } else {
                known[place.release] = try await scheduled(place)
            }
        }
        processes = known
    }

    /// What cannot be read of one release keeps no other waiting.
    private func scheduled(_ place: Store.CronPlace) async throws -> [ScheduledProcess] {
        do { return try await store.release(id: place.release)?.manifest?.scheduled() ?? [] } catch let
            failure
            as Failure
        { throw failure } catch {
            logger.error(
                "the schedules of a live release cannot be read",
                metadata: ["release": "\(place.target)/\(place.number)", "error": "\(error)"])
            return []
        }
    }

    /// - Returns: up to when all is seen to.
    private func see(
        _ process: ScheduledProcess, _ place: Store.CronPlace, _ mark: Store.CronMark?, _ now: Timestamp
    ) async throws -> Timestamp {
        guard let mark, mark.times == process.times else {
            // From now on.
            try await store.set(
                .init(target: place.target, type: process.type, times: process.times, seen: now))
            return now
        }
        guard mark.seen.milliseconds <= now.milliseconds &+ DueTimes.longestReturn else {
            logger.warning(
                "the clock was set back: schedules go on from what it shows now",
                metadata: ["type": "\(place.target) \(process.type)", "was": "\(mark.seen.rfc3339)"])
            try await store.set(
                .init(target: place.target, type: process.type, times: process.times, seen: now))
            return now
        }
        let before = mark.seen(at: now)
        let times = DueTimes(process.schedule, in: process.zone, after: before, until: now)
        if let missed = times.missed {
            let seen = times.due.map { Timestamp(milliseconds: $0.milliseconds - 1) } ?? now
            try await store.miss(
                missed,
                of: CronScheduler.record(process, place.target, place.number, due: missed.first, by: nil),
                seen: seen)
            logger.warning(
                "scheduled runs were missed",
                metadata: [
                    "type": "\(place.target) \(process.type)", "count": "\(missed.count)",
                    "first": "\(missed.first.rfc3339)", "last": "\(missed.last.rfc3339)",
                ])
        }
        if let due = times.due {
            let beginning = try await CronScheduler.begin(
                process, of: place.target, release: place.number, due: due, by: nil, in: store, carryOut)
            if case .skipped(let other) = beginning {
                logger.warning(
                    "a scheduled run was left out: the one before still runs",
                    metadata: ["type": "\(place.target) \(process.type)", "run": "\(other)"])
            }
            return max(before, due)
        }
        return times.missed == nil ? before : now
    }

    /// Records a run, and has it carried out if it may be.
    static func begin(
        _ process: ScheduledProcess, of target: Target, release: Int, due: Timestamp?, by: String?,
        in store: Store, _ carryOut: @escaping CarryOut
    ) async throws -> Store.Beginning {
        let run = record(process, target, release, due: due, by: by)
        let beginning = try await store.begin(run, overlap: process.overlap) {
            $0.supervisor?.isRunning ?? true
        }
        if case .begun(let run, let others) = beginning {
            Fault.cronRecorded.pass()
            Task { await carryOut(run, process, others) }
        }
        return beginning
    }

    private static func record(
        _ process: ScheduledProcess, _ target: Target, _ release: Int, due: Timestamp?, by: String?
    ) -> Run {
        Run(
            target: target, release: release, command: process.command, identifier: UUID().uuidString,
            isDetached: true, occasion: .init(type: process.type, due: due, by: by))
    }
}
