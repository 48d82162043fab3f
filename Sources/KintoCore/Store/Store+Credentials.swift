// SPDX-License-Identifier: Apache-2.0
internal import GRDB
internal import Wire

extension Store {
    /// What the service's repository is fetched with; all nil when nothing was ever set.
    public func credentials(_ service: ServiceName) async throws -> FetchCredentials {
        try await read { try Store.credentials($0, service) }
    }

    /// Changes them in one step.
    /// - Throws: `Failure` of code `unknown-service`.
    public func changeCredentials(
        _ service: ServiceName, _ change: @Sendable @escaping (inout FetchCredentials) -> Void
    ) async throws {
        try await write { database in
            var credentials = try Store.credentials(database, service)
            change(&credentials)
            try Store.save(database, service, credentials)
        }
    }

    static func credentials(_ database: Database, _ service: ServiceName) throws -> FetchCredentials {
        guard
            let row = try Row.fetchOne(
                database, sql: "SELECT * FROM credential WHERE service = ?", arguments: [service.description])
        else { return FetchCredentials() }
        let box = try SecretBox.required()
        func open(_ column: String) throws -> String? {
            try (row[column] as String?).map { try box.open($0, for: place(of: column, service.description)) }
        }
        return FetchCredentials(
            sshKey: try open("sshKey"), publicKey: row["publicKey"], username: row["username"],
            token: try open("token"), authorities: row["authorities"])
    }

    static func save(_ database: Database, _ service: ServiceName, _ credentials: FetchCredentials) throws {
        let box = try SecretBox.required()
        let name = service.description
        guard
            try Bool.fetchOne(database, sql: "SELECT 1 FROM service WHERE name = ?", arguments: [name]) != nil
        else {
            throw Failure(code: "unknown-service", "there is no service '\(service)'")
        }
        try database.execute(
            sql: """
                INSERT OR REPLACE INTO credential (service, sshKey, publicKey, username, token, authorities)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                name, try credentials.sshKey.map { try box.seal($0, for: place(of: "sshKey", name)) },
                credentials.publicKey, credentials.username,
                try credentials.token.map { try box.seal($0, for: place(of: "token", name)) },
                credentials.authorities,
            ])
    }

    /// Seals them with another key.
    /// - Parameter again: opens a sealed value and seals it, by its place.
    static func resealCredentials(_ database: Database, _ again: (String, String) throws -> String) throws {
        for row in try Row.fetchAll(database, sql: "SELECT service, sshKey, token FROM credential") {
            let service: String = row[0]
            try database.execute(
                sql: "UPDATE credential SET sshKey = ?, token = ? WHERE service = ?",
                arguments: [
                    try (row[1] as String?).map { try again($0, place(of: "sshKey", service)) },
                    try (row[2] as String?).map { try again($0, place(of: "token", service)) }, service,
                ])
        }
    }

    private static func place(of column: String, _ service: String) -> String { "\(column) of \(service)" }
}
