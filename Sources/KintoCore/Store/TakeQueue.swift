// SPDX-License-Identifier: Apache-2.0
internal import GRDB
internal import Synchronization

/// Triggers that wait for the database: those that wait together are taken in one transaction and share what makes it
/// durable, so that a slow disk answers a hundred as soon as one. May be used from any task.
final class TakeQueue: Sendable {
    /// A trigger, and who is told what became of it.
    struct Waiting: Sendable {
        let news: [NewRelease]
        let told: CheckedContinuation<[Acceptance], any Error>
    }

    /// What one transaction takes: a database that was busy is asked again with the same.
    final class Batch: Sendable {
        private let taken = Mutex<[Waiting]>([])

        /// With what came meanwhile.
        func filled(from queue: TakeQueue) -> [Waiting] {
            taken.withLock { taken in
                taken += queue.next(TakeQueue.largest - taken.count)
                return taken
            }
        }

        var all: [Waiting] { taken.withLock { $0 } }
    }

    private struct State {
        var waiting: [Waiting] = []
        var isBusy = false
    }

    /// The others' writes want their turn, too.
    private static let largest = 128
    private let state = Mutex(State())

    /// - Returns: true when the caller is the one to see that it is taken.
    func add(_ waiting: Waiting) -> Bool {
        state.withLock { state in
            state.waiting.append(waiting)
            defer { state.isBusy = true }
            return !state.isBusy
        }
    }

    private func next(_ count: Int) -> [Waiting] {
        state.withLock { state in
            let next = Array(state.waiting.prefix(max(0, count)))
            state.waiting.removeFirst(next.count)
            return next
        }
    }

    /// How many wait, and are not being taken.
    var count: Int { state.withLock { $0.waiting.count } }

    /// - Returns: false when more have come: the caller goes on.
    func leave() -> Bool {
        state.withLock { state in
            state.isBusy = !state.waiting.isEmpty
            return !state.isBusy
        }
    }
}

extension Store {
    /// Takes a trigger: what it is answered with is durable, and nothing came between.
    /// - Throws: `Failure` of code `unknown-service` or `store-full`, with nothing written.
    public func take(_ new: NewRelease) async throws -> Acceptance {
        guard let answer = try await take([new]).first else {
            throw Failure(code: "store-unreadable", "a trigger was not answered")
        }
        return answer
    }

    /// The same of a trigger that several environments are deployed by: all of them, or none. One that is undecided leaves all
    /// of them so, whatever the others' answers say.
    public func take(_ news: [NewRelease]) async throws -> [Acceptance] {
        try requireFile()
        return try await withCheckedThrowingContinuation { told in
            guard takes.add(.init(news: news, told: told)) else { return }
            Task { await takeWaiting() }
        }
    }

    /// Until nothing waits.
    private func takeWaiting() async {
        repeat {
            let batch = TakeQueue.Batch()
            let takes = takes
            do {
                let answers = try await write(.door) { database in
                    try batch.filled(from: takes).map { try Store.answer(database, $0.news) }
                }
                for (waiting, answer) in zip(batch.all, answers) { waiting.told.resume(with: answer) }
            } catch {
                // Nothing of it is written, whoever's trigger it was. Those that the database did not even begin with
                // have waited as long.
                for waiting in batch.filled(from: takes) { waiting.told.resume(throwing: error) }
            }
        } while !takes.leave()
    }

    /// What one trigger is answered, which is no other's trouble.
    /// - Throws: `DatabaseError` of the database as a whole: then nothing of the transaction is written.
    private static func answer(_ database: Database, _ news: [NewRelease]) throws -> Result<
        [Acceptance], any Error
    > {
        do {
            var answers: [Acceptance] = []
            try database.inSavepoint {
                answers = try news.map { try take(database, $0) }
                let isDecided = !answers.contains { if case .undecided = $0 { true } else { false } }
                if isDecided { try record(database, news, answers) }
                return isDecided ? .commit : .rollback
            }
            return .success(answers)
        } catch let error as DatabaseError where error.resultCode != .SQLITE_CONSTRAINT {
            throw error
        } catch {
            return .failure(error)
        }
    }
}
