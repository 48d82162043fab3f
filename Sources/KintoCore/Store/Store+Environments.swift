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

    /// Forgets an environment with its releases and its configuration.
    /// - Parameter ifIdle: only if nothing of it is queued or deploying.
    /// - Returns: artifacts that only its releases had; nil: something is, and nothing was done.
    public func remove(_ target: Target, ifIdle: Bool = false) async throws -> [String]? {
        try await write { database in
            if ifIdle, try !Store.open(database, target).isEmpty { return nil }
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
}
