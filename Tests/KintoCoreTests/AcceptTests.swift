// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing
import Wire

@testable import KintoCore

/// What becomes of a trigger, by the store alone.
@Suite(.timeLimit(.minutes(20)))
struct AcceptTests {
    private static func commit(_ number: Int) throws -> CommitID {
        let digits = String(number, radix: 16)
        return try #require(CommitID(String(repeating: "0", count: 40 - digits.count) + digits))
    }

    private struct Place {
        let store: Store
        let target: Target

        func trigger(_ commit: CommitID?, _ kind: Release.Trigger = .push) -> NewRelease {
            NewRelease(target: target, commit: commit, branch: "main", trigger: kind)
        }

        func accept(_ new: NewRelease) async throws -> Acceptance.Accepted {
            guard case .accepted(let accepted) = try await store.take(new) else {
                throw Trouble("it is no release")
            }
            return accepted
        }

        func all() async throws -> [String] {
            try await store.releases(target).map {
                $0.status.rawValue + ($0.supersededBy.map { " by \($0)" } ?? "")
            }.reversed()
        }
    }

    private func with(_ policy: QueuePolicy, _ body: (Place) async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            let store = try Store(path: "\(directory)/kinto.db")
            let name = try ServiceName("hello")
            try await store.add(
                RegisteredService(
                    name: name, source: .hosted, repository: "/", createdAt: .now, webhookSecret: "s",
                    queue: policy),
                branch: "main")
            try await body(Place(store: store, target: Target(service: name)))
        }
    }

    /// Each commit costs an fsync.
    private final class Commits: TransactionObserver, Sendable {
        let count = Mutex(0)
        func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { true }
        func databaseDidChange(with event: DatabaseEvent) {}
        func databaseDidCommit(_ database: Database) { count.withLock { $0 += 1 } }
        func databaseDidRollback(_ database: Database) {}
    }

    @Test func whatWaitsTogetherIsMadeDurableTogether() async throws {
        try await with(.every) { place in
            let (held, go) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            let commits = Commits()
            place.store.pool.add(transactionObserver: commits)
            // The database has something else to do.
            let other = Task.detached {
                try await place.store.write { _ in
                    held.signal()
                    go.wait()
                }
            }
            await onThread { held.wait() }
            let unknown = Target(service: try ServiceName("nosuch"))
            let answers = try await withThrowingTaskGroup(of: (Int, Int?).self) { group in
                for index in 0..<200 {
                    group.addTask {
                        var new = place.trigger(try Self.commit(index + 1))
                        new.deduplication = "\(index / 2)"
                        if index % 50 == 0 { new.target = unknown }
                        switch try? await place.store.take(new) {
                        case .accepted(let accepted)?: return (index, accepted.release.number)
                        case .duplicate(let number)?: return (index, number)
                        default: return (index, nil)
                        }
                    }
                }
                try await until("all to wait") { place.store.takes.count == 200 }
                go.signal()
                return try await group.reduce(into: [Int: Int]()) { $0[$1.0] = $1.1 }
            }
            try await other.value
            // Those of a service that is not there are nobody else's trouble, and of two that are the same one is one.
            #expect(Set(0..<200).subtracting(answers.keys) == [0, 50, 100, 150])
            #expect(Set(answers.values) == Set(1...100))
            for index in stride(from: 2, to: 200, by: 2) where index % 50 != 0 {
                #expect(answers[index] == answers[index + 1])
            }
            #expect(try await place.all().count == 100)
            #expect(commits.count.withLock { $0 } <= 3)
            // And alone it goes on.
            #expect(try await place.accept(place.trigger(nil)).release.number == 101)
        }
    }

    @Test(arguments: [
        (QueuePolicy.wait, ["deploying", "superseded by 3", "queued"]),
        (.cancel, ["deploying by 2", "superseded by 3", "queued"]),
        (.every, ["deploying", "queued", "queued"]),
    ])
    func aNewerTriggerDoesWhatThePolicySays(policy: QueuePolicy, outcome: [String]) async throws {
        try await with(policy) { place in
            let first = try await place.accept(place.trigger(Self.commit(1))).release
            try await place.store.update(first.id) { $0.status = .deploying }
            for number in 2...3 {
                var new = place.trigger(try Self.commit(number))
                for earlier in 1..<number { new.contained[try Self.commit(earlier)] = false }
                let accepted = try await place.accept(new)
                #expect(accepted.cancelled?.number == (policy == .cancel && number == 2 ? 1 : nil))
                #expect(accepted.running?.number == 1)
            }
            #expect(try await place.all() == outcome)
            #expect(
                try await place.store.release(place.target, 1)?.abortRequested == (policy == .cancel))
        }
    }

    @Test func aSwapThatHasBegunAndARollbackAreNotCancelled() async throws {
        try await with(.cancel) { place in
            let first = try await place.accept(place.trigger(Self.commit(1))).release
            try await place.store.update(first.id) {
                $0.status = .deploying
                $0.stage = .swap
            }
            var new = place.trigger(try Self.commit(2))
            new.contained[try Self.commit(1)] = false
            #expect(try await place.accept(new).cancelled == nil)
            try await place.store.update(first.id) { $0.trigger = .rollback }
            try await place.store.update(first.id) { $0.stage = .probe }
            #expect(try await place.accept(place.trigger(nil)).cancelled == nil)
        }
    }

    @Test(arguments: QueuePolicy.allCases)
    func anAncestorReplacesNoDescendantThatWaitsOrRuns(policy: QueuePolicy) async throws {
        try await with(policy) { place in
            let running = try await place.accept(place.trigger(Self.commit(8))).release
            try await place.store.update(running.id) { $0.status = .deploying }
            var newer = place.trigger(try Self.commit(9))
            newer.contained[try Self.commit(8)] = false
            if policy == .cancel { newer.contained[try Self.commit(8)] = true }
            _ = try await place.accept(newer)
            var older = place.trigger(try Self.commit(7))
            let answer = try await place.store.take(older)
            switch (policy, answer) {
            case (.every, .accepted): #expect(try await place.all() == ["deploying", "queued", "queued"])
            case (_, .undecided(let commits)):
                #expect(try commits.contains(Self.commit(9)))
                #expect(try await place.all().count == 2, "nothing is written before it is known")
                for commit in commits { older.contained[commit] = true }
                #expect(try await place.accept(older).cancelled == nil)
                #expect(try await place.all() == ["deploying", "queued", "superseded by 2"])
            default: Issue.record("\(answer)")
            }
        }
    }

    /// Scenario 23, at the store.
    @Test func theSameTriggerToldOftenIsOneRelease() async throws {
        try await with(.wait) { place in
            let numbers = try await withThrowingTaskGroup(of: Int?.self) { group in
                for _ in 0..<100 {
                    var new = place.trigger(try Self.commit(1))
                    new.deduplication = "the same"
                    group.addTask { [new] in
                        switch try await place.store.take(new) {
                        case .accepted(let accepted): accepted.release.number
                        case .duplicate(let number): number
                        default: nil
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(numbers == Array(repeating: 1, count: 100))
            #expect(try await place.all() == ["queued"])
        }
    }

    @Test func whatIsLiveIsNotDeployedAgainUnlessSomethingChanged() async throws {
        try await with(.wait) { place in
            let store = place.store
            let first = try await place.accept(place.trigger(Self.commit(1))).release
            try await store.update(first.id) {
                $0.status = .deployed
                $0.live = true
                $0.config = [:]
            }
            func isLive(_ new: NewRelease) async throws -> Bool {
                let answer = try await store.take(new)
                if case .accepted(let accepted) = answer {
                    try await store.update(accepted.release.id) { $0.status = .failed }
                }
                if case .live(let live) = answer { return live.number == 1 }
                return false
            }
            var new = place.trigger(try Self.commit(1), .manual)
            #expect(try await isLive(new))
            new.force = true
            #expect(try await !isLive(new))
            new.force = false
            new.noCache = true
            #expect(try await !isLive(new))
            new.noCache = false
            #expect(try await isLive(new))
            #expect(try await !isLive(place.trigger(nil)))
            var told = place.trigger(nil, .webhook)
            told.tip = try Self.commit(1)
            #expect(try await isLive(told))
            try await store.update(place.target) { $0.suspended = true }
            #expect(try await !isLive(new))
            try await store.update(place.target) { $0.suspended = false }
            // Something else is on its way.
            let other = try await place.accept(place.trigger(Self.commit(2))).release
            new.contained[try Self.commit(2)] = false
            #expect(try await !isLive(new))
            try await store.update(other.id) { $0.status = .aborted }
            // Its watch failed it.
            try await store.update(first.id) { $0.status = .failed }
            #expect(try await !isLive(new))
            try await store.update(first.id) { $0.status = .deployed }
            #expect(try await isLive(new))
            _ = try await store.changeConfig(
                place.target, set: ["A": "b"], secret: false, unset: [], release: nil)
            #expect(try await !isLive(new))
        }
    }

    @Test func aServiceThatIsRegisteredAgainKnowsNothingOfEarlierDeliveries() async throws {
        try await with(.wait) { place in
            var new = place.trigger(nil, .webhook)
            new.deduplication = "webhook hello 1"
            new.delivery = Delivery(
                identifier: "1", service: "hello", event: "push", reference: "", verdict: "", release: nil,
                status: 0, at: .now)
            _ = try await place.accept(new)
            let recorded = try await place.store.delivery(place.target.service, "1")
            #expect(recorded?.verdict == "queued as release 1")
            #expect(recorded?.status == 202)
            guard case .duplicate(1) = try await place.store.take(new) else {
                Issue.record("it was forgotten")
                return
            }
            try await place.store.remove(place.target.service)
            try await place.store.add(
                RegisteredService(
                    name: place.target.service, source: .hosted, repository: "/", createdAt: .now,
                    webhookSecret: "s"), branch: "main")
            #expect(try await place.accept(new).release.number == 1)
        }
    }

    /// One delivery, three environments: all of them or none, and each once.
    @Test func aTriggerOfSeveralEnvironmentsIsTakenWhole() async throws {
        try await with(.wait) { place in
            let staging = Target(service: place.target.service, environment: try EnvironmentName("staging"))
            try await place.store.add(RegisteredEnvironment(target: staging, branch: "main"))
            func news(_ identifier: String) -> [NewRelease] {
                var news = [place.target, staging].map {
                    NewRelease(target: $0, commit: nil, branch: "main", trigger: .webhook)
                }
                for index in news.indices { news[index].identify(by: "webhook hello \(identifier)") }
                news[0].delivery = Delivery(
                    identifier: identifier, service: "hello", event: "push", reference: "",
                    verdict: "qa: ignored: off", release: nil, status: 200, at: .now)
                return news
            }
            // The second cannot be taken: nothing is there of the first either.
            var bad = news("1")
            bad[1].target = Target(service: staging.service, environment: try EnvironmentName("none"))
            await #expect(throws: Failure.self) { try await place.store.take(bad) }
            #expect(try await place.all().isEmpty)
            #expect(try await place.store.delivery(staging.service, "1") == nil)
            for expected in [[1, 1], [nil, nil]] as [[Int?]] {
                let numbers = try await place.store.take(news("1")).map { answer -> Int? in
                    if case .accepted(let accepted) = answer { accepted.release.number } else { nil }
                }
                #expect(numbers == expected)
            }
            let delivery = try await place.store.delivery(staging.service, "1")
            #expect(
                delivery?.verdict
                    == "production: queued as release 1; staging: queued as release 1; qa: ignored: off")
            #expect(delivery?.status == 202)
            // Of one that is made again under its name nothing is known.
            _ = try await place.store.remove(staging)
            try await place.store.add(RegisteredEnvironment(target: staging, branch: "main"))
            let again = try await place.store.take(news("1"))
            guard case .duplicate(1) = again[0], case .accepted(let accepted) = again[1] else {
                Issue.record("\(again)")
                return
            }
            #expect(accepted.release.number == 1)
        }
    }
}
