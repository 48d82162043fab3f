// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Glibc
internal import Wire

/// The durable record of everything: SQLite in WAL mode with full synchronisation, so that what a call returned
/// from survives a power cut. Safe to call from any task; each call is one transaction.
public final class Store: Sendable {
    /// How long a call goes on trying while another program holds the database's lock.
    enum Patience {
        /// A door is waited at: it says no in good time.
        case door
        /// A step of a deploy: what was done already has to be written down.
        case step

        var time: Duration { self == .door ? .seconds(5) : .seconds(120) }
    }

    let pool: DatabasePool
    let path: String
    /// Of the key that secrets are sealed with: `secret.key` beside the database.
    let keyPath: String
    let box: SecretBox.Place
    let takes = TakeQueue()
    let signal = EventSignal()
    /// The file that was opened: what stands under its name later may be another one.
    private let file: (device: dev_t, inode: ino_t)?

    /// Opens or creates the database, and the key that its secrets are sealed with.
    /// - Parameter signs: what shows that there was one before; then none is made.
    /// - Throws: `Failure` of code `store-missing`, `store-damaged`, `store-newer`, `store-locked`, `store-unreadable`,
    ///   `store-full`, `store-unwritable` or `secret-key-…`; nothing is recreated or repaired silently.
    public init(path: String, signs: [String] = []) throws {
        self.path = path
        pool = try StoreOpening(path: path, signs: signs).open()
        pool.add(transactionObserver: signal, extent: .observerLifetime)
        keyPath = "\(Files.parent(of: path))/secret.key"
        do { box = SecretBox.Place(try Store.unlock(pool, keyPath: keyPath)) } catch let error
            as DatabaseError
        {
            throw StoreFault(path: path).failure(error)
        }
        file = Store.identity(path)
    }

    func read<T: Sendable>(_ body: @Sendable @escaping (Database) throws -> T) async throws -> T {
        let box = box
        do {
            return try await pool.read { database in
                try SecretBox.$current.withValue(box) { try body(database) }
            }
        } catch let error as DatabaseError {
            throw StoreFault(path: path).failure(error)
        }
    }

    func write<T: Sendable>(
        _ patience: Patience = .step, _ body: @Sendable @escaping (Database) throws -> T
    ) async throws -> T {
        // A record is made whole even if its task is cancelled meanwhile: an abort is recorded by the task that it cancels.
        try await Task { [self] in
            let deadline = ContinuousClock.now + patience.time
            while true {
                do {
                    return try await pool.write { [box] database in
                        try SecretBox.$current.withValue(box) { try body(database) }
                    }
                } catch let error as DatabaseError {
                    guard error.resultCode == .SQLITE_BUSY, ContinuousClock.now < deadline else {
                        throw StoreFault(path: path).failure(error)
                    }
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
        }.value
    }

    /// Makes sure that what is written now is found by the next server: the file may have been removed, or replaced
    /// by a copy, under the open database.
    /// - Throws: `Failure` of code `store-missing`.
    public func requireFile() throws {
        guard let file else { return }
        let now = Store.identity(path)
        guard now?.device != file.device || now?.inode != file.inode else { return }
        throw Failure(
            code: "store-missing",
            "\(path) was removed or replaced while the server runs; nothing more is accepted",
            hints: [
                .init("put the file back where it was; what is live goes on serving meanwhile"),
                .init("or restore a backup into a new home", command: "kinto restore BACKUP --home NEW"),
            ])
    }

    private static func identity(_ path: String) -> (device: dev_t, inode: ino_t)? {
        var status = stat()
        return stat(path, &status) == 0 ? (status.st_dev, status.st_ino) : nil
    }
}
