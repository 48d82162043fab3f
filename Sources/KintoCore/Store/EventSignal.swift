// SPDX-License-Identifier: Apache-2.0
internal import GRDB
internal import Synchronization

/// Tells that events were committed, to any number of readers. It carries none of them: who reads slowly costs nothing, and
/// nobody who writes waits.
final class EventSignal: TransactionObserver, Sendable {
    private struct State {
        var hasChanged = false
        var next = 0
        var readers: [Int: AsyncStream<Void>.Continuation] = [:]
    }
    private let state = Mutex(State())

    /// A value after each transaction from now on; several may be told as one.
    func changes() -> AsyncStream<Void> {
        let (stream, reader) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.next += 1
            state.readers[state.next] = reader
            return state.next
        }
        reader.onTermination = { [weak self] _ in self?.leave(number) }
        return stream
    }

    private func leave(_ number: Int) { _ = state.withLock { $0.readers.removeValue(forKey: number) } }

    func observes(eventsOfKind kind: DatabaseEventKind) -> Bool {
        if case .insert(tableName: "event") = kind { true } else { false }
    }

    func databaseDidChange(with event: DatabaseEvent) { state.withLock { $0.hasChanged = true } }
    func databaseDidRollback(_ database: Database) { state.withLock { $0.hasChanged = false } }

    func databaseDidCommit(_ database: Database) {
        let readers = state.withLock { state in
            defer { state.hasChanged = false }
            return state.hasChanged ? Array(state.readers.values) : []
        }
        for reader in readers { reader.yield() }
    }
}
