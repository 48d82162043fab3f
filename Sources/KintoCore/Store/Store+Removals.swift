// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB

/// Removals are recorded together with what they take off the record, so that a server that dies meanwhile leaves no files.
extension Store {
    /// Forgets a service with its environments and all they have.
    /// - Returns: what is left to do; nil: something of it is queued, deploying or runs, and nothing was done.
    public func end(_ service: ServiceName) async throws -> Removal? {
        try await write { database in
            let isBusy = try Bool.fetchOne(
                database,
                sql: """
                    SELECT 1 FROM release WHERE service = ? AND (status IN ('queued', 'deploying') OR \(Schema.runs))
                    LIMIT 1
                    """, arguments: [service.description])
            guard isBusy == nil else { return nil }
            let local = try String.fetchOne(
                database, sql: "SELECT repository FROM service WHERE name = ? AND source = ?",
                arguments: [service.description, RegisteredService.Source.local.rawValue])
            let artifacts = try String.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT json_extract(body, '$.artifact.identifier') AS artifact FROM release
                    WHERE service = ? AND artifact IS NOT NULL
                    """, arguments: [service.description])
            let former = try Store.formerNames(database, of: service)
            try Store.forget(database, service)
            return try Store.record(database, service, nil, local, former, artifacts)
        }
    }

    /// Forgets an environment with its releases and its configuration.
    /// - Returns: what is left to do; nil: something of it is queued, deploying or runs, and nothing was done.
    public func end(_ target: Target) async throws -> Removal? {
        try await write { database in
            let isBusy = try Bool.fetchOne(
                database,
                sql: """
                    SELECT 1 FROM release WHERE service = ? AND environment = ?
                    AND (status IN ('queued', 'deploying') OR \(Schema.runs)) LIMIT 1
                    """, arguments: [target.service.description, target.environment.description])
            guard isBusy == nil else { return nil }
            let artifacts = try Store.forget(database, target)
            return try Store.record(database, target.service, target.environment, nil, [], artifacts)
        }
    }

    private static func record(
        _ database: Database, _ service: ServiceName, _ environment: EnvironmentName?, _ local: String?,
        _ former: [ServiceName], _ artifacts: [String]
    ) throws -> Removal {
        try database.execute(
            sql: """
                INSERT INTO removal (service, environment, local, former, artifacts)
                VALUES (?, ?, ?, ?, ?)
                """,
            arguments: [
                service.description, environment?.description, local, text(former.map(\.description)),
                text(artifacts),
            ])
        return Removal(
            id: database.lastInsertedRowID, service: service, environment: environment,
            localRepository: local, formerNames: former, artifacts: artifacts)
    }

    private static func text(_ names: [String]) throws -> String {
        String(decoding: try JSONEncoder().encode(names), as: UTF8.self)
    }

    /// Those whose files an earlier server may have left, oldest first.
    public func openRemovals() async throws -> [Removal] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT id, service, environment, local, former, artifacts FROM removal ORDER BY id"
            ).map { row in
                func names(_ index: Int) throws -> [String] {
                    try JSONDecoder().decode([String].self, from: Data((row[index] as String).utf8))
                }
                return Removal(
                    id: row[0], service: try ServiceName(row[1] as String),
                    environment: try (row[2] as String?).map { try EnvironmentName($0) },
                    localRepository: row[3], formerNames: try names(4).map { try ServiceName($0) },
                    artifacts: try names(5))
            }
        }
    }

    /// Nothing of it is left.
    public func finish(_ removal: Removal) async throws {
        try await write {
            try $0.execute(sql: "DELETE FROM removal WHERE id = ?", arguments: [removal.id])
        }
    }
}
