// SPDX-License-Identifier: Apache-2.0
internal import GRDB
public import Wire

extension Store {
    /// Releases that are queued or deploying, in the order of acceptance.
    public func openReleases(_ target: Target? = nil) async throws -> [Release] {
        try await read { try Store.open($0, target) }
    }

    static func open(_ database: Database, _ target: Target?) throws -> [Release] {
        try database.rows(
            sql: """
                SELECT * FROM release WHERE status IN ('queued', 'deploying')
                AND (?1 IS NULL OR (service = ?1 AND environment = ?2)) ORDER BY id
                """, arguments: [target?.service.description, target?.environment.description]
        ).map(ReleaseBody.release)
    }

    public func releases(_ target: Target, limit: Int = 100) async throws -> [Release] {
        try await read { database in
            try database.rows(
                sql:
                    "SELECT * FROM release WHERE service = ? AND environment = ? ORDER BY number DESC LIMIT ?",
                arguments: [target.service.description, target.environment.description, limit]
            ).map(ReleaseBody.release)
        }
    }

    /// Releases before a number, newest first, without settings, configuration, failure and warnings: see ``Newest``.
    public func releases(_ target: Target, before number: Int, limit: Int) async throws -> [Release] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT \(Store.shown) FROM release WHERE service = ? AND environment = ? AND number < ?
                    ORDER BY number DESC LIMIT ?
                    """,
                arguments: [target.service.description, target.environment.description, number, limit]
            ).map(ReleaseBody.release)
        }
    }

    /// Those that have instances and nothing to come: they were replaced, or are over for another reason. Newest first.
    public func leftReleases(_ target: Target) async throws -> [Release] {
        try await read { try Store.left($0, target) }
    }

    static func left(_ database: Database, _ target: Target) throws -> [Release] {
        try database.rows(
            sql: """
                SELECT * FROM release INDEXED BY release_running
                WHERE service = ? AND environment = ? AND \(Schema.runs) AND live = 0 ORDER BY number DESC
                """, arguments: [target.service.description, target.environment.description]
        ).map(ReleaseBody.release).filter { $0.status.isFinal || $0.liveAt != nil }
    }

    public func release(_ target: Target, _ number: Int) async throws -> Release? {
        try await read { database in
            try database.row(
                sql: "SELECT * FROM release WHERE service = ? AND environment = ? AND number = ?",
                arguments: [target.service.description, target.environment.description, number]
            ).map(ReleaseBody.release)
        }
    }

    /// The newest release that has a failure.
    public func lastFailed(_ target: Target) async throws -> Release? {
        try await read { database in
            try database.row(
                sql: """
                    SELECT * FROM release WHERE service = ? AND environment = ?
                    AND json_extract(body, '$.failure') IS NOT NULL ORDER BY number DESC LIMIT 1
                    """,
                arguments: [target.service.description, target.environment.description]
            ).map(ReleaseBody.release)
        }
    }

    /// The newest release with a lower number that was live, and is not.
    public func proven(_ target: Target, before number: Int) async throws -> Release? {
        try await read { database in
            try database.row(
                sql: """
                    SELECT * FROM release WHERE service = ? AND environment = ? AND number < ? AND live = 0
                    AND (status = 'deployed'
                        OR status = 'deploying' AND json_extract(body, '$.liveAt') IS NOT NULL)
                    ORDER BY number DESC LIMIT 1
                    """,
                arguments: [target.service.description, target.environment.description, number]
            ).map(ReleaseBody.release)
        }
    }

    /// The newest release that was live and whose artifact was built from, or taken for, this key.
    public func built(_ target: Target, key: String) async throws -> Release? {
        try await read { database in
            try database.rows(
                sql: """
                    SELECT * FROM (
                        SELECT * FROM release WHERE service = ? AND environment = ? AND status = 'deployed'
                        ORDER BY number DESC LIMIT 200)
                    WHERE json_extract(body, '$.buildKey') = ?
                    """,
                arguments: [target.service.description, target.environment.description, key]
            ).lazy.map(ReleaseBody.release).first { $0.artifact?.available == true }
        }
    }

    /// The release that serves the target, or did so when it was suspended.
    public func live(_ target: Target) async throws -> Release? {
        try await read { try Store.live($0, target) }
    }

    public func allLive() async throws -> [Release] {
        try await read {
            try $0.rows(sql: "SELECT * FROM release WHERE live = 1").map(ReleaseBody.release)
        }
    }

    static func live(_ database: Database, _ target: Target) throws -> Release? {
        try database.row(
            sql: "SELECT * FROM release WHERE service = ? AND environment = ? AND live = 1",
            arguments: [target.service.description, target.environment.description]
        ).map(ReleaseBody.release)
    }

    /// Changes a release in one transaction and notes the step in the journal. The change sees the row as it is.
    /// - Throws: what `change` throws, with nothing written; `Failure` of code `unknown-release`.
    @discardableResult
    public func update(
        _ id: Int64, step: String? = nil, _ change: @Sendable @escaping (inout Release) throws -> Void
    ) async throws -> Release {
        try await write { database in
            guard
                var release = try database.row(
                    sql: "SELECT * FROM release WHERE id = ?", arguments: [id]
                )
                .map(ReleaseBody.release)
            else { throw Failure(code: "unknown-release", "the release is gone") }
            let wasLive = release.live
            try change(&release)
            if release.live, !wasLive { try Store.makeLive(database, release) }
            try Store.save(database, release)
            if let step { try Store.note(database, id, step) }
            return release
        }
    }

    /// Takes the place of what was live.
    static func makeLive(_ database: Database, _ release: Release) throws {
        try database.run(
            sql: "UPDATE release SET live = 0 WHERE service = ? AND environment = ? AND live = 1",
            arguments: [release.target.service.description, release.target.environment.description])
        try database.run(
            sql: "UPDATE environment SET port = ?, suspended = 0 WHERE service = ? AND name = ?",
            arguments: [
                release.manifest?.port.map { Int($0) }, release.target.service.description,
                release.target.environment.description,
            ])
    }

    static func note(_ database: Database, _ id: Int64, _ step: String) throws {
        try database.run(
            sql: "INSERT INTO journal (release, at, step) VALUES (?, ?, ?)",
            arguments: [id, Timestamp.now.milliseconds, step])
    }

    /// The steps noted for a release, oldest first.
    public func journal(_ id: Int64) async throws -> [(at: Timestamp, step: String)] {
        try await read { database in
            try database.rows(
                sql: "SELECT at, step FROM journal WHERE release = ? ORDER BY id", arguments: [id]
            )
            .map { (Timestamp(milliseconds: $0["at"]), $0["step"]) }
        }
    }

    static func save(_ database: Database, _ release: Release) throws {
        try database.run(
            sql: "UPDATE release SET status = ?, live = ?, stage = ?, body = ? WHERE id = ?",
            arguments: [
                release.status.rawValue, release.live, release.stage?.rawValue,
                try ReleaseBody(release).encoded(),
                release.id,
            ])
    }
}
