// SPDX-License-Identifier: Apache-2.0
internal import GRDB
public import Wire

/// Something that changed, as it was committed.
public struct StoreEvent: Sendable, Equatable {
    /// Grows by one with each.
    public let id: Int64
    public let at: Timestamp
    /// `release`, `environment`, `service` or `delivery`.
    public let kind: String
    public let service: String
    /// A JSON object: what it is now.
    public let body: String
}

/// What is told of changes. Triggers of the database write it (``Schema``), in the transaction of the change: nothing that is
/// committed is left out, whoever commits it. The last ten thousand are kept.
extension Store {
    /// - Parameter isWhole: nothing between `after` and these is gone.
    public struct Events: Sendable {
        public let events: [StoreEvent]
        /// Where to go on.
        public let next: Int64
        public let isWhole: Bool
    }

    /// A value after each transaction that changed something; several may be told as one. From the call on.
    public func changes() -> AsyncStream<Void> { signal.changes() }

    /// The id of the last one; 0: there is none.
    public func lastEvent() async throws -> Int64 {
        try await read { try Int64.fetchOne($0, sql: "SELECT max(id) FROM event") ?? 0 }
    }

    /// Those after an id, oldest first.
    public func events(after id: Int64, of service: ServiceName? = nil, limit: Int = 200) async throws
        -> Events
    {
        try await read { database in
            let first = try Int64.fetchOne(database, sql: "SELECT min(id) FROM event") ?? 1
            let last = try Int64.fetchOne(database, sql: "SELECT max(id) FROM event") ?? 0
            // One that is newer than all was told by another database.
            guard id <= last, id >= first - 1 else { return Events(events: [], next: last, isWhole: false) }
            let events = try Row.fetchAll(
                database,
                sql:
                    "SELECT * FROM event WHERE id > ?1 AND (?2 IS NULL OR service = ?2) ORDER BY id LIMIT ?3",
                arguments: [id, service?.description, limit]
            ).map {
                StoreEvent(
                    id: $0["id"], at: Timestamp(milliseconds: $0["at"]), kind: $0["kind"],
                    service: $0["service"], body: $0["body"])
            }
            let next = events.count == limit ? events.last?.id : nil
            return Events(events: events, next: next ?? last, isWhole: true)
        }
    }

    /// How many releases there are of each status.
    public func releaseCounts() async throws -> [(target: Target, status: Release.Status, count: Int)] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT service, environment, status, count(*) AS count FROM release
                    GROUP BY service, environment, status
                    """
            ).map { row in
                (
                    Target(
                        service: try ServiceName(row["service"]),
                        environment: try EnvironmentName(row["environment"])),
                    Release.Status(rawValue: row["status"]) ?? .failed, row["count"]
                )
            }
        }
    }
}
