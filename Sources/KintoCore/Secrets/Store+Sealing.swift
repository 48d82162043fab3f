// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Wire

extension Store {
    /// A text that the key opens if it is the right one.
    private static let probe = (text: "kinto", place: "probe")

    /// Finds the key that belongs to the database; seals a database that was not sealed before, in one transaction,
    /// and leaves no plain copy in its files.
    /// - Throws: `Failure` of code `secret-key-missing`, `secret-key-wrong` or `secret-key-unusable`.
    static func unlock(_ pool: DatabasePool, keyPath: String) throws -> SecretBox {
        let sealed = try pool.read { try String.fetchOne($0, sql: "SELECT probe FROM sealing") }
        let key = try SecretKey.read(keyPath)
        guard let sealed else {
            let key = try key ?? newKey(keyPath)
            let box = SecretBox(key)
            try pool.write { try reseal($0, with: box, opening: nil) }
            try scrub(pool)
            return box
        }
        if let key, opens(sealed, key) {
            try scrub(pool)
            return SecretBox(key)
        }
        // A replacement of the key that was interrupted after its transaction.
        if let new = try SecretKey.read(keyPath + ".new"), opens(sealed, new) {
            try finishRotation(keyPath)
            try scrub(pool)
            return SecretBox(new)
        }
        guard key == nil else {
            throw Failure(
                code: "secret-key-wrong",
                "the key file \(keyPath) is not the one that this database was sealed with",
                hints: [.init("put the key file back that belongs to this database, from the same backup")])
        }
        guard try pool.read({ try Int.fetchOne($0, sql: "SELECT count(*) FROM service") ?? 0 }) == 0 else {
            throw Failure(
                code: "secret-key-missing",
                "the key file \(keyPath) is missing, and the database holds secrets that only it opens",
                hints: [
                    .init(
                        "put it back from a backup, of mode 0600; the services that run keep running meanwhile"
                    )
                ])
        }
        let box = SecretBox(try newKey(keyPath))
        try pool.write { try reseal($0, with: box, opening: nil) }
        return box
    }

    private static func newKey(_ path: String) throws -> SecretKey {
        let key = SecretKey.random()
        try key.write(to: path)
        return key
    }

    private static func opens(_ sealed: String, _ key: SecretKey) -> Bool {
        (try? SecretBox(key).open(sealed, for: probe.place)) == probe.text
    }

    private static func finishRotation(_ path: String) throws {
        try check("rename", path) { rename("\(path).new", path) }
        try Files.synchronizeDirectory(Files.parent(of: path))
    }

    /// - Parameter old: nil: what is there is plain.
    private static func reseal(_ database: Database, with box: SecretBox, opening old: SecretBox?) throws {
        func again(_ value: String, _ place: String) throws -> String {
            try box.seal(old?.open(value, for: place) ?? value, for: place)
        }
        for row in try Row.fetchAll(database, sql: "SELECT service, environment, name, value FROM config") {
            let (service, environment, name): (String, String, String) = (row[0], row[1], row[2])
            try database.execute(
                sql: "UPDATE config SET value = ? WHERE service = ? AND environment = ? AND name = ?",
                arguments: [
                    again(row[3], place(ofVariable: name, "\(service)/\(environment)")), service, environment,
                    name,
                ])
        }
        for row in try Row.fetchAll(database, sql: "SELECT name, webhookSecret, previousSecret FROM service")
        {
            let name: String = row[0]
            try database.execute(
                sql: "UPDATE service SET webhookSecret = ?, previousSecret = ? WHERE name = ?",
                arguments: [
                    again(row[1], place(ofWebhook: name)),
                    (row[2] as String?).map { try again($0, place(ofWebhook: name)) }, name,
                ])
        }
        try resealCredentials(database, again)
        try resealReports(database, again)
        for row in try Row.fetchAll(database, sql: "SELECT id, body FROM release") {
            let body = try ReleaseBody.resealed(row[1], with: box, opening: old)
            try database.execute(
                sql: "UPDATE release SET body = ? WHERE id = ?", arguments: [body, row[0] as Int64])
        }
        try database.execute(
            sql: "INSERT OR REPLACE INTO sealing VALUES (1, ?, 0)",
            arguments: [box.seal(probe.text, for: probe.place)])
    }

    /// Pages that are not used any more, and the write-ahead log, still hold what was there before.
    private static func scrub(_ pool: DatabasePool) throws {
        guard try pool.read({ try Bool.fetchOne($0, sql: "SELECT isScrubbed FROM sealing") }) == false else {
            return
        }
        try pool.writeWithoutTransaction { database in
            try database.execute(sql: "VACUUM")
            try database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            try database.execute(sql: "UPDATE sealing SET isScrubbed = 1")
        }
    }

    static func place(ofVariable name: String, _ target: String) -> String { "variable \(name) of \(target)" }
    static func place(ofWebhook service: String) -> String { "webhook secret of \(service)" }

    /// Replaces the key: a new one is written beside the old, everything is sealed again in one transaction, then the
    /// new file takes the place of the old. Interrupted anywhere, the next start finds the key that fits.
    public func rotateKey() async throws {
        let path = keyPath
        let new = SecretKey.random()
        try await write { [self] database in
            guard let old = try SecretKey.read(path) else {
                throw Failure(code: "secret-key-missing", "the key file \(path) is missing")
            }
            try new.write(to: path + ".new")
            // Readers see rows of both keys from the commit on, and those that began before it still do.
            let before = box.now
            box.now = SecretBox(new, after: before)
            do { try Store.reseal(database, with: SecretBox(new), opening: SecretBox(old)) } catch {
                box.now = before
                throw error
            }
        }
        try Store.finishRotation(path)
        let pool = pool
        try await Blocking.run { try Store.scrub(pool) }
    }

    /// Looks at the key file as the next start will: it is there, closed to others, and opens the configuration and the
    /// webhook secrets that are stored now.
    /// - Returns: how many values it opened.
    /// - Throws: `Failure` of code `secret-key-missing`, `secret-key-wrong` or `secret-key-unusable`.
    public func examineKey() async throws -> Int {
        let (pool, path) = (pool, keyPath)
        return try await Blocking.run {
            guard let key = try SecretKey.read(path) else {
                throw Failure(
                    code: "secret-key-missing",
                    "the key file \(path) is missing; the server goes on with the key that it has read, and does not start again without it",
                    hints: [.init("put it back from a backup, of mode 0600")])
            }
            let box = SecretBox(key)
            return try pool.read { database in
                let probe = try String.fetchOne(database, sql: "SELECT probe FROM sealing")
                guard let probe, Store.opens(probe, key) else {
                    throw Failure(
                        code: "secret-key-wrong",
                        "the key file \(path) is not the one that the database is sealed with; the server goes on with the key that it has read, and does not start again with this one",
                        hints: [.init("put the key file back that belongs to this database")])
                }
                var count = 0
                for row in try Row.fetchAll(
                    database, sql: "SELECT service, environment, name, value FROM config")
                {
                    let (service, environment, name): (String, String, String) = (row[0], row[1], row[2])
                    _ = try box.open(row[3], for: Store.place(ofVariable: name, "\(service)/\(environment)"))
                    count += 1
                }
                for row in try Row.fetchAll(database, sql: "SELECT name, webhookSecret FROM service") {
                    _ = try box.open(row[1], for: Store.place(ofWebhook: row[0]))
                    count += 1
                }
                return count
            }
        }
    }
}
