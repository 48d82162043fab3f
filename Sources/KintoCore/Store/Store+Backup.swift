// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Wire

extension Store {
    /// What a copy of the database refers to.
    public struct Content: Sendable {
        public struct Service: Sendable {
            public let name: ServiceName
            /// Its repository is the operator's.
            public let isLocal: Bool
            public let repository: String
        }
        /// Identifiers.
        public let artifacts: [String]
        public let services: [Service]
    }

    /// Copies a database that may be in use, with SQLite's online backup, and takes from the copy what holds for this
    /// host and this moment alone: which processes run. Whoever takes the copy over starts them again. Its schema stays
    /// as it is, so that the version that wrote it can use it.
    /// - Throws: `Failure` of the codes of opening, `store-full`, `store-unwritable`.
    public static func copy(
        _ source: String, to copy: String
    ) throws -> Content {
        do {
            var reading = StoreOpening.configuration
            reading.readonly = true
            reading.busyMode = .timeout(10)
            let from = try DatabaseQueue(path: source, configuration: reading)
            let to = try DatabaseQueue(path: copy)
            try from.backup(to: to)
            try to.write { database in
                try database.execute(
                    sql: "UPDATE release SET body = json_remove(body, '$.instances', '$.warmUntil')")
                if try database.tableExists("run") {
                    try database.execute(
                        sql: "UPDATE run SET body = json_remove(body, '$.supervisor') WHERE body <> ''")
                }
                let found = try String.fetchAll(database, sql: "PRAGMA integrity_check(5)")
                guard found == ["ok"] else { throw StoreFault(path: source).damaged(found) }
            }
            let content = try to.read { database in
                Content(
                    artifacts: try String.fetchAll(
                        database,
                        sql: """
                            SELECT DISTINCT json_extract(body, '$.artifact.identifier') FROM release
                            WHERE json_extract(body, '$.artifact.available') = 1 ORDER BY 1
                            """),
                    services: try Row.fetchAll(
                        database, sql: "SELECT name, source, repository FROM service ORDER BY name"
                    ).map {
                        .init(
                            name: try ServiceName($0["name"] as String),
                            isLocal: $0["source"] == RegisteredService.Source.local.rawValue,
                            repository: $0["repository"])
                    }
                )
            }
            try to.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
            try to.close()
            try from.close()
            return content
        } catch let error as DatabaseError { throw StoreFault(path: source).failure(error) }
    }

    /// The artifacts that releases say they have, by identifier.
    public func artifactsOnRecord() async throws -> [String: Release.Artifact] {
        let all = try await read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT * FROM release WHERE json_extract(body, '$.artifact.available') = 1"
            ).map(ReleaseBody.release)
        }
        return Dictionary(
            all.compactMap(\.artifact).map { ($0.identifier, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Says of every release with this artifact that it is not there any more.
    public func artifactIsGone(_ identifier: String) async throws {
        try await write { database in
            try database.execute(
                sql: """
                    UPDATE release SET body = json_set(body, '$.artifact.available', json('false'))
                    WHERE json_extract(body, '$.artifact.identifier') = ?
                    """, arguments: [identifier])
        }
    }

    /// The repositories under the home have moved with it.
    public func moveRepositories(to home: Home) async throws {
        let hosted = try await services().filter { $0.source == .hosted }.map(\.name)
        try await write { database in
            for name in hosted {
                try database.execute(
                    sql: "UPDATE service SET repository = ? WHERE name = ?",
                    arguments: [home.repository(name), name.description])
            }
        }
    }

    /// Ends the use of it; the log is taken into the file.
    public func close() throws {
        do { try pool.close() } catch let error as DatabaseError {
            throw StoreFault(path: path).failure(error)
        }
    }
}
