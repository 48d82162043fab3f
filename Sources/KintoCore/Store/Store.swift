// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Wire

/// The durable record of everything: SQLite in WAL mode with full synchronisation, so that what a call returned
/// from survives a power cut. Safe to call from any task; each call is one transaction.
public final class Store: Sendable {
    let pool: DatabasePool
    /// Of the key that secrets are sealed with: `secret.key` beside the database.
    let keyPath: String
    let box: SecretBox.Place

    /// Opens or creates the database, and the key that its secrets are sealed with.
    /// - Throws: `Failure` of code `store-unreadable`, `store-newer` or `secret-key-…`; nothing is recreated or
    ///   repaired silently.
    public init(path: String) throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(10)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = FULL")
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            if try pool.read({ try Schema.migrations.hasBeenSuperseded($0) }) {
                throw Failure(
                    code: "store-newer", "\(path) was written by a newer version of kinto",
                    hints: [.init("install that version, or restore a backup made by this one")])
            }
            try Schema.migrations.migrate(pool)
            keyPath = "\(Files.parent(of: path))/secret.key"
            box = SecretBox.Place(try Store.unlock(pool, keyPath: keyPath))
        } catch let error as DatabaseError {
            throw Failure(
                code: "store-unreadable",
                "the database \(path) cannot be used: \(error.message ?? "\(error.resultCode)")",
                hints: [.init("restore it from a backup; the services that run keep running meanwhile")])
        }
    }

    func read<T: Sendable>(_ body: @Sendable @escaping (Database) throws -> T) async throws -> T {
        let box = box
        return try await pool.read { database in
            try SecretBox.$current.withValue(box) { try body(database) }
        }
    }

    func write<T: Sendable>(_ body: @Sendable @escaping (Database) throws -> T) async throws -> T {
        do {
            // A record is made whole even if its task is cancelled meanwhile: an abort is recorded by the task that it cancels.
            let (pool, box) = (pool, box)
            return try await Task {
                try await pool.write { database in
                    try SecretBox.$current.withValue(box) { try body(database) }
                }
            }.value
        } catch let error as DatabaseError
            where error.resultCode == .SQLITE_FULL || error.resultCode == .SQLITE_IOERR
        {
            throw Failure(
                code: "store-full", "the state could not be written: \(error.message ?? "disk full")",
                hints: [.init("make room on the file system of the home directory", command: "df -h")])
        }
    }
}
