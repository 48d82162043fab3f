// SPDX-License-Identifier: Apache-2.0
internal import GRDB

extension Store {
    /// Registers an environment of a service beside those it has.
    /// - Throws: `Failure` of code `unknown-service` or `environment-exists`.
    public func add(_ environment: RegisteredEnvironment) async throws {
        try requireFile()
        let (service, name) = (
            environment.target.service.description, environment.target.environment.description
        )
        try await write(.door) { database in
            guard
                try Bool.fetchOne(database, sql: "SELECT 1 FROM service WHERE name = ?", arguments: [service])
                    != nil
            else { throw Failure(code: "unknown-service", "there is no service '\(service)'") }
            let isThere = try Bool.fetchOne(
                database, sql: "SELECT 1 FROM environment WHERE service = ? AND name = ?",
                arguments: [service, name])
            if isThere != nil {
                throw Failure(
                    code: "environment-exists", "\(service) has an environment '\(name)' already",
                    hints: [
                        .init("change it", command: "kinto environment set \(service) \(name) --branch …")
                    ])
            }
            try database.execute(
                sql: """
                    INSERT INTO environment (service, name, branch, autoDeploy, isProtected)
                    VALUES (?, ?, ?, ?, ?)
                    """,
                arguments: [
                    service, name, environment.branch, environment.autoDeploy, environment.isProtected,
                ])
        }
    }

    /// An environment with what is live in it and the newest release: both without settings, configuration, failure and
    /// warnings, which lists do not show. They are not to be written back.
    public struct Newest: Sendable {
        public let environment: RegisteredEnvironment
        public let live: Release?
        public let last: Release?
        /// The stable port of what is live.
        public let port: UInt16?
        /// Whether what is live has `web`, which takes requests; also when nothing is.
        public let serves: Bool
        /// Whether what is live is a site of files.
        public let isSite: Bool
    }

    /// What lists show of a release: most of what its row holds is something else.
    static let shown = """
        id, service, environment, number, status, live, stage,
        json_remove(body, '$.sealedConfig', '$.manifest', '$.failure', '$.warnings') AS body
        """

    /// All of them in one look.
    /// - Parameter service: nil: of all services.
    public func newestReleases(of service: ServiceName? = nil) async throws -> [Newest] {
        try await read { database in
            let places = try Row.fetchAll(
                database,
                sql: "SELECT * FROM environment WHERE ?1 IS NULL OR service = ?1 ORDER BY service, name",
                arguments: [service?.description]
            ).map(Store.environment)
            let live = try database.makeStatement(
                sql: """
                    SELECT \(Store.shown), json_extract(body, '$.manifest.port') AS port,
                        coalesce(json_extract(body, '$.manifest.start'),
                            json_extract(body, '$.manifest.static')) IS NOT NULL AS serves,
                        json_extract(body, '$.manifest.static') IS NOT NULL AS isSite FROM release
                    WHERE service = ? AND environment = ? AND live = 1
                    """)
            let last = try database.makeStatement(
                sql: """
                    SELECT \(Store.shown) FROM release WHERE service = ? AND environment = ?
                    ORDER BY number DESC LIMIT 1
                    """)
            return try places.map { place in
                let names: StatementArguments = [
                    place.target.service.description, place.target.environment.description,
                ]
                let row = try Row.fetchOne(live, arguments: names)
                let serving = try row.map(ReleaseBody.release)
                let port = (row?["port"] as Int?).flatMap(UInt16.init(exactly:))
                var newest = serving
                // Most often the newest is the same.
                if let other = try Row.fetchOne(last, arguments: names), other["id"] != serving?.id {
                    newest = try ReleaseBody.release(other)
                }
                return Newest(
                    environment: place, live: serving, last: newest, port: port,
                    serves: row?["serves"] as Bool? ?? true, isSite: row?["isSite"] as Bool? ?? false)
            }
        }
    }

    /// Takes back the registration of an environment that has no files yet.
    public func remove(_ target: Target) async throws {
        try await write { _ = try Store.forget($0, target) }
    }

    /// - Returns: the artifacts that nothing else has.
    static func forget(_ database: Database, _ target: Target) throws -> [String] {
        let names: StatementArguments = [target.service.description, target.environment.description]
        let artifacts = try String.fetchAll(
            database,
            sql: """
                SELECT DISTINCT json_extract(body, '$.artifact.identifier') AS artifact FROM release
                WHERE service = ?1 AND environment = ?2 AND artifact IS NOT NULL AND artifact NOT IN (
                    SELECT json_extract(body, '$.artifact.identifier') FROM release
                    WHERE NOT (service = ?1 AND environment = ?2)
                    AND json_extract(body, '$.artifact.identifier') IS NOT NULL)
                """, arguments: names)
        try database.execute(
            sql: "DELETE FROM environment WHERE service = ? AND name = ?", arguments: names)
        // One that is made again under the name knows nothing of them.
        try database.execute(
            sql: "DELETE FROM accepted WHERE identifier LIKE ?", arguments: ["% \(target)"])
        return artifacts
    }
}
