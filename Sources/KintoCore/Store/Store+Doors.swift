// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Wire

extension Store {
    /// Records a delivery's verdict; the first verdict of an identifier stays, unless it could not be stored then.
    public func record(_ delivery: Delivery) async throws {
        try await write(.door) { try Store.record($0, delivery) }
    }

    static func record(_ database: Database, _ delivery: Delivery) throws {
        let releases =
            try delivery.releases.isEmpty
            ? "" : String(decoding: JSONEncoder().encode(delivery.releases), as: UTF8.self)
        try database.run(
            sql: """
                INSERT OR IGNORE INTO delivery
                (service, identifier, provider, event, reference, changes, verdict, release, releases, status, at, duration)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                delivery.service, delivery.identifier, delivery.provider.rawValue, delivery.event,
                delivery.reference, delivery.changes, delivery.verdict, delivery.release, releases,
                delivery.status, delivery.at.milliseconds, delivery.duration,
            ])
    }

    /// A service that a delivery is decided on for.
    public struct Addressee: Sendable {
        public let service: RegisteredService
        public let environments: [RegisteredEnvironment]
        /// The same delivery, if it came before.
        public let earlier: Delivery?
    }

    /// The service that a delivery was sent to, and others that are fetched from the same address, by name; read at one moment. Secrets
    /// of no more services are opened for it.
    public func addressees(of service: RegisteredService, _ identifier: String?) async throws -> (
        named: Addressee, others: [Addressee]
    ) {
        try await read { database in
            func addressee(_ service: RegisteredService) throws -> Addressee {
                Addressee(
                    service: service, environments: try Store.environments(database, of: service.name),
                    earlier: try identifier.flatMap { try Store.delivery(database, service.name, $0) })
            }
            let others =
                try service.source != .remote
                ? []
                : database.rows(
                    sql: "SELECT * FROM service WHERE repository = ? AND name != ? ORDER BY name",
                    arguments: [service.repository, service.name.description]
                ).map(Store.service)
            return (try addressee(service), try others.map(addressee))
        }
    }

    private static func delivery(_ database: Database, _ service: ServiceName, _ identifier: String) throws
        -> Delivery?
    {
        try database.row(
            sql: "SELECT * FROM delivery WHERE service = ? AND identifier = ?",
            arguments: [service.description, identifier]
        ).map(Store.delivery)
    }

    public func delivery(_ service: ServiceName, _ identifier: String) async throws -> Delivery? {
        try await read { try Store.delivery($0, service, identifier) }
    }

    /// Newest first.
    public func deliveries(_ service: ServiceName?, limit: Int = 100) async throws -> [Delivery] {
        try await read { database in
            try database.rows(
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
        let releases: String = row["releases"]
        if !releases.isEmpty {
            let kept = try? JSONDecoder().decode([Delivery.Outcome].self, from: Data(releases.utf8))
            delivery.releases = kept ?? []
        } else if let release = delivery.release {
            // There was one environment then.
            delivery.releases = [
                .init(environment: .production, release: release, isNew: delivery.status == 202)
            ]
        }
        delivery.duration = row["duration"]
        return delivery
    }
}
