// SPDX-License-Identifier: Apache-2.0
internal import GRDB
internal import Wire

extension Store {
    /// Records a delivery's verdict; the first verdict of an identifier stays, unless it could not be stored then.
    public func record(_ delivery: Delivery) async throws {
        try await write(.door) { try Store.record($0, delivery) }
    }

    static func record(_ database: Database, _ delivery: Delivery) throws {
        try database.execute(
            sql: """
                INSERT OR IGNORE INTO delivery
                (service, identifier, provider, event, reference, changes, verdict, release, status, at, duration)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                delivery.service, delivery.identifier, delivery.provider.rawValue, delivery.event,
                delivery.reference, delivery.changes, delivery.verdict, delivery.release, delivery.status,
                delivery.at.milliseconds, delivery.duration,
            ])
    }

    public func delivery(_ service: ServiceName, _ identifier: String) async throws -> Delivery? {
        try await read { database in
            try Row.fetchOne(
                database, sql: "SELECT * FROM delivery WHERE service = ? AND identifier = ?",
                arguments: [service.description, identifier]
            ).map(Store.delivery)
        }
    }

    /// Newest first.
    public func deliveries(_ service: ServiceName?, limit: Int = 100) async throws -> [Delivery] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT * FROM delivery WHERE ?1 IS NULL OR service = ?1 ORDER BY at DESC LIMIT ?2",
                arguments: [service?.description, limit]
            ).map(Store.delivery)
        }
    }

    private static func delivery(_ row: Row) -> Delivery {
        var delivery = Delivery(
            identifier: row["identifier"], service: row["service"],
            provider: Provider(rawValue: row["provider"]) ?? .generic, event: row["event"],
            reference: row["reference"],
            verdict: row["verdict"], release: row["release"], status: row["status"],
            at: Timestamp(milliseconds: row["at"]))
        delivery.changes = row["changes"]
        delivery.duration = row["duration"]
        return delivery
    }
}
