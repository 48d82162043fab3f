// SPDX-License-Identifier: Apache-2.0
internal import GRDB
internal import Wire

/// Tokens and users.
extension Store {
    /// Keeps the hash of an API token, never the token.
    /// - Parameter name: nil: `token`, or the next of `token-2`, `token-3` … that is free.
    /// - Returns: its name.
    /// - Throws: `Failure` of code `token-exists`.
    @discardableResult
    public func addToken(hash: String, name: AccountName?, role: Role) async throws -> String {
        try await write { database in
            func isTaken(_ name: String) throws -> Bool {
                try Bool.fetchOne(
                    database, sql: "SELECT 1 FROM token WHERE name = ? COLLATE NOCASE", arguments: [name])
                    != nil
            }
            var chosen = name?.description ?? "token"
            if try name != nil && isTaken(chosen) {
                throw Failure(
                    code: "token-exists", "there is a token '\(chosen)' already",
                    hints: [.init("take another name, or", command: "kinto token remove \(chosen)")])
            }
            var count = 1
            while try isTaken(chosen) {
                count += 1
                chosen = "token-\(count)"
            }
            try database.execute(
                sql: "INSERT INTO token (hash, name, createdAt, role) VALUES (?, ?, ?, ?)",
                arguments: [hash, chosen, Timestamp.now.milliseconds, role.rawValue])
            return chosen
        }
    }

    public func token(hash: String) async throws -> TokenRecord? {
        try await read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM token WHERE hash = ?", arguments: [hash])
                .map(Store.token)
        }
    }

    /// By name.
    public func tokens() async throws -> [TokenRecord] {
        try await read {
            try Row.fetchAll($0, sql: "SELECT * FROM token ORDER BY name COLLATE NOCASE").map(Store.token)
        }
    }

    /// - Parameter name: also one that no new token may have.
    /// - Throws: `Failure` of code `unknown-account`.
    public func removeToken(_ name: String) async throws -> TokenRecord {
        try await write { database in
            guard
                let token = try Row.fetchOne(
                    database, sql: "SELECT * FROM token WHERE name = ? COLLATE NOCASE", arguments: [name]
                ).map(Store.token)
            else {
                throw Failure(
                    code: "unknown-account", "there is no such token",
                    hints: [.init("see those that there are", command: "kinto token list")])
            }
            try database.execute(sql: "DELETE FROM token WHERE hash = ?", arguments: [token.hash])
            return token
        }
    }

    public func noteUse(ofToken hash: String) async throws {
        try await write(.door) { database in
            try database.execute(
                sql: "UPDATE token SET lastUsedAt = ? WHERE hash = ?",
                arguments: [Timestamp.now.milliseconds, hash])
        }
    }

    /// Whether nobody but the accounts of this machine may do anything.
    public func hasNoAccount() async throws -> Bool {
        try await read {
            try Bool.fetchOne(
                $0, sql: "SELECT NOT EXISTS (SELECT 1 FROM token) AND NOT EXISTS (SELECT 1 FROM user)")
                ?? true
        }
    }

    /// A damaged role is that of the least.
    private static func role(_ row: Row) -> Role { Role(rawValue: row["role"]) ?? .viewer }

    private static func time(_ milliseconds: Int64?) -> Timestamp? {
        milliseconds.map(Timestamp.init(milliseconds:))
    }

    private static func token(_ row: Row) -> TokenRecord {
        TokenRecord(
            name: row["name"], role: role(row), createdAt: Timestamp(milliseconds: row["createdAt"]),
            lastUsedAt: time(row["lastUsedAt"]), hash: row["hash"])
    }

    private static func user(_ row: Row) -> UserRecord {
        UserRecord(
            name: row["name"], role: role(row), password: row["password"], stamp: row["stamp"],
            createdAt: Timestamp(milliseconds: row["createdAt"]), lastSignInAt: time(row["lastSignInAt"]))
    }

    // MARK: Users

    /// - Throws: `Failure` of code `user-exists`.
    public func addUser(_ name: AccountName, role: Role, password: String, stamp: String) async throws {
        try await write { database in
            if try Store.user(database, name.description) != nil {
                throw Failure(
                    code: "user-exists", "there is a user '\(name)' already",
                    hints: [.init("change it", command: "kinto user set \(name) --role …")])
            }
            try database.execute(
                sql: "INSERT INTO user (name, role, password, stamp, createdAt) VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    name.description, role.rawValue, password, stamp, Timestamp.now.milliseconds,
                ])
        }
    }

    /// - Parameter name: as somebody wrote it.
    public func user(_ name: String) async throws -> UserRecord? {
        try await read { try Store.user($0, name) }
    }

    /// By name.
    public func users() async throws -> [UserRecord] {
        try await read { try Row.fetchAll($0, sql: "SELECT * FROM user ORDER BY name").map(Store.user) }
    }

    /// Changes what is given; sessions that were begun before are over.
    /// - Throws: `Failure` of code `unknown-account`.
    @discardableResult
    public func changeUser(_ name: String, role: Role?, password: String?, stamp: String) async throws
        -> UserRecord
    {
        try await write { database in
            try Store.requireUser(database, name)
            try database.execute(
                sql: """
                    UPDATE user SET role = coalesce(?, role), password = coalesce(?, password), stamp = ?
                    WHERE name = ?
                    """, arguments: [role?.rawValue, password, stamp, name])
            return try Store.requireUser(database, name)
        }
    }

    /// - Throws: `Failure` of code `unknown-account`.
    public func removeUser(_ name: String) async throws -> UserRecord {
        try await write { database in
            let user = try Store.requireUser(database, name)
            try database.execute(sql: "DELETE FROM user WHERE name = ?", arguments: [name])
            return user
        }
    }

    public func noteSignIn(of name: String) async throws {
        try await write(.door) { database in
            try database.execute(
                sql: "UPDATE user SET lastSignInAt = ? WHERE name = ?",
                arguments: [Timestamp.now.milliseconds, name])
        }
    }

    private static func user(_ database: Database, _ name: String) throws -> UserRecord? {
        try Row.fetchOne(database, sql: "SELECT * FROM user WHERE name = ?", arguments: [name]).map(user)
    }

    @discardableResult
    private static func requireUser(_ database: Database, _ name: String) throws -> UserRecord {
        guard let user = try user(database, name) else {
            throw Failure(
                code: "unknown-account", "there is no such user",
                hints: [.init("see those that there are", command: "kinto user list")])
        }
        return user
    }
}
