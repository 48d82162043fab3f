// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Wire

/// Services that had another name. The name that a service had stays its own until it is given to another one: pushes and
/// deliveries that still use it are understood.
extension Store {
    /// Gives a service another name, with all that is on record of it, in one transaction. Its files are to follow: the
    /// renaming is open until `finishRenaming`.
    /// - Parameters:
    ///   - repository: where the repository will lie; nil: where it is.
    /// - Throws: `Failure` of code `unknown-service`, `service-exists`, `deploy-running`.
    public func renameService(_ old: ServiceName, to new: ServiceName, repository: String?) async throws {
        try requireFile()
        try await write { database in
            guard
                let service = try Row.fetchOne(
                    database, sql: "SELECT * FROM service WHERE name = ?", arguments: [old.description]
                ).map(Store.service)
            else { throw Failure(code: "unknown-service", "there is no service '\(old)'") }
            let exists = try Bool.fetchOne(
                database, sql: "SELECT 1 FROM service WHERE name = ?", arguments: [new.description])
            guard exists == nil else {
                throw Failure(code: "service-exists", "there is a service '\(new)' already")
            }
            try Store.refuseOpen(database, old)
            // Values are sealed for their place, which has the name in it.
            let environments = try String.fetchAll(
                database, sql: "SELECT name FROM environment WHERE service = ?", arguments: [old.description])
            var variables: [(environment: String, variable: ConfigVariable)] = []
            for environment in environments {
                let target = Target(service: old, environment: try EnvironmentName(environment))
                variables += try Store.variables(database, target).map { (environment, $0) }
            }
            let credentials = try Store.credentials(database, old)
            try Store.move(database, old, new)
            let box = try SecretBox.required()
            let place = Store.place(ofWebhook: new.description)
            try database.execute(
                sql: """
                    UPDATE service SET name = ?, repository = coalesce(?, repository), webhookSecret = ?, previousSecret = ?
                    WHERE name = ?
                    """,
                arguments: [
                    new.description, repository, try box.seal(service.webhookSecret, for: place),
                    try service.previousSecret.map { try box.seal($0.value, for: place) }, old.description,
                ])
            for (environment, variable) in variables {
                let name = variable.name
                try database.execute(
                    sql: "UPDATE config SET value = ? WHERE service = ? AND environment = ? AND name = ?",
                    arguments: [
                        try box.seal(
                            variable.value, for: Store.place(ofVariable: name, "\(new)/\(environment)")),
                        new.description, environment, name,
                    ])
            }
            if credentials != FetchCredentials() { try Store.save(database, new, credentials) }
            try database.execute(
                sql: "INSERT INTO renamed (old, new, at) VALUES (?, ?, ?)",
                arguments: [old.description, new.description, Timestamp.now.milliseconds])
            try database.execute(
                sql:
                    "INSERT INTO event (at, kind, service, body) VALUES (?, 'service', ?, json_object('service', ?, 'renamed', ?))",
                arguments: [Timestamp.now.milliseconds, old.description, old.description, new.description])
        }
    }

    /// Whatever waits or is on its way has the old name in its paths and its processes.
    private static func refuseOpen(_ database: Database, _ service: ServiceName) throws {
        let open = try Row.fetchOne(
            database,
            sql: """
                SELECT environment, number FROM release
                WHERE service = ? AND status IN ('queued', 'deploying') ORDER BY id LIMIT 1
                """, arguments: [service.description])
        guard let open else { return }
        let target = Target(service: service, environment: try EnvironmentName(open[0] as String))
        throw Failure(
            code: "deploy-running",
            "release \(open[1] as Int) of \(target) is not over: a service is renamed at rest",
            hints: [
                .init(
                    "wait for its end", command: "kinto logs \(target.words) --release \(open[1] as Int) -f")
            ])
    }

    /// Everything that refers to the service, whichever table it stands in.
    private static func move(_ database: Database, _ old: ServiceName, _ new: ServiceName) throws {
        // Parents and children change one after the other.
        try database.execute(sql: "PRAGMA defer_foreign_keys = ON")
        let (before, after) = (old.description, new.description)
        try database.execute(sql: "DELETE FROM renamed WHERE old = ?", arguments: [after])
        try database.execute(sql: "UPDATE renamed SET new = ? WHERE new = ?", arguments: [after, before])
        let tables = try String.fetchAll(
            database,
            sql: """
                SELECT t.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
                WHERE t.type = 'table' AND c.name = 'service' AND t.name <> 'event'
                """)
        for table in tables {
            try database.execute(
                sql: "UPDATE \"\(table)\" SET service = ? WHERE service = ?", arguments: [after, before])
        }
        // So that what was accepted under the old name is not accepted again.
        try database.execute(
            sql: """
                UPDATE accepted SET identifier = 'webhook ' || ?2 || substr(identifier, length('webhook ' || ?1) + 1)
                WHERE substr(identifier, 1, length('webhook ' || ?1 || ' ')) = 'webhook ' || ?1 || ' '
                """, arguments: [before, after])
        try database.execute(
            sql: """
                UPDATE accepted SET identifier = replace(identifier, ' ' || ?1 || '/', ' ' || ?2 || '/')
                WHERE instr(identifier, ' ' || ?1 || '/') > 0
                """, arguments: [before, after])
    }

    /// A service by the name that it has, or had.
    public func service(everCalled name: ServiceName) async throws -> RegisteredService? {
        if let service = try await service(name) { return service }
        guard let now = try await renamed(name) else { return nil }
        return try await service(now)
    }

    /// The present name of the service that had this one.
    public func renamed(_ name: ServiceName) async throws -> ServiceName? {
        try await read { database in
            try String.fetchOne(
                database, sql: "SELECT new FROM renamed WHERE old = ?", arguments: [name.description]
            ).map { try ServiceName($0) }
        }
    }

    /// The names that a service had.
    public func formerNames(of service: ServiceName) async throws -> [ServiceName] {
        try await read { try Store.formerNames($0, of: service) }
    }

    static func formerNames(_ database: Database, of service: ServiceName) throws -> [ServiceName] {
        try String.fetchAll(
            database, sql: "SELECT old FROM renamed WHERE new = ? ORDER BY at",
            arguments: [service.description]
        ).map { try ServiceName($0) }
    }

    /// Those whose files did not follow yet, oldest first.
    public func openRenamings() async throws -> [(old: ServiceName, new: ServiceName)] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT old, new FROM renamed WHERE isDone = 0 ORDER BY at").map {
                (try ServiceName($0[0] as String), try ServiceName($0[1] as String))
            }
        }
    }

    public func finishRenaming(_ old: ServiceName) async throws {
        try await write {
            try $0.execute(sql: "UPDATE renamed SET isDone = 1 WHERE old = ?", arguments: [old.description])
        }
    }

    /// The name is no service's any more.
    public func forgetName(_ old: ServiceName) async throws {
        try await write {
            try $0.execute(sql: "DELETE FROM renamed WHERE old = ?", arguments: [old.description])
        }
    }
}
