// SPDX-License-Identifier: Apache-2.0
internal import GRDB
public import Wire

/// The audit log.
extension Store {
    /// Durable when it returns.
    /// - Returns: the entry's id.
    public func record(_ entry: AuditEntry) async throws -> Int64 {
        try await write(.door) { try Store.record($0, entry) }
    }

    @discardableResult
    static func record(_ database: Database, _ entry: AuditEntry) throws -> Int64 {
        try database.execute(
            sql: """
                INSERT INTO audit (at, who, role, door, action, service, target, what, result)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                entry.at.milliseconds, entry.who, entry.role?.rawValue, entry.door.rawValue, entry.action,
                entry.service, entry.target, entry.what, entry.result,
            ])
        return database.lastInsertedRowID
    }

    /// Completes an entry that was begun: what it was about, and what became of it.
    public func complete(_ entry: AuditEntry) async throws {
        try await write(.door) { database in
            try database.execute(
                sql: "UPDATE audit SET service = ?, target = ?, what = ?, result = ? WHERE id = ?",
                arguments: [entry.service, entry.target, entry.what, entry.result, entry.id])
        }
    }

    /// Newest first.
    /// - Parameters:
    ///   - who: as the entries have it; also a user's, token's or local account's name alone.
    ///   - before: the id of the last one that was seen.
    public func audit(
        service: ServiceName? = nil, who: String? = nil, before: Int64? = nil, limit: Int = 100
    ) async throws -> [AuditEntry] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM audit WHERE (?1 IS NULL OR service = ?1)
                    AND (?2 IS NULL OR who IN (?2, 'token ' || ?2, 'local ' || ?2))
                    AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4
                    """, arguments: [service?.description, who, before, limit]
            ).map { row in
                var entry = AuditEntry(
                    who: row["who"], role: (row["role"] as String?).flatMap(Role.init(rawValue:)),
                    door: Door(rawValue: row["door"]) ?? .api, action: row["action"],
                    service: row["service"], target: row["target"], what: row["what"], result: row["result"])
                entry.id = row["id"]
                entry.at = Timestamp(milliseconds: row["at"])
                return entry
            }
        }
    }

    /// Removes what is beyond a count or an age; the newest thousand are kept whatever their dates say, for a clock may
    /// be wrong.
    /// - Returns: how many entries.
    public func forgetAudit(beyond count: Int, before time: Timestamp, isDry: Bool = false) async throws
        -> Int
    {
        let condition = """
            id <= (SELECT coalesce(max(id), 0) FROM audit) - ?1
            OR at < ?2 AND id <= (SELECT coalesce(max(id), 0) FROM audit) - 1000
            """
        let arguments: StatementArguments = [count, time.milliseconds]
        if isDry {
            return try await read {
                try Int.fetchOne(
                    $0, sql: "SELECT count(*) FROM audit WHERE \(condition)", arguments: arguments) ?? 0
            }
        }
        return try await write { database in
            try database.execute(sql: "DELETE FROM audit WHERE \(condition)", arguments: arguments)
            return database.changesCount
        }
    }
}
