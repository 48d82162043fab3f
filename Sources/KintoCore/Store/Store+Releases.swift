// SPDX-License-Identifier: Apache-2.0
internal import GRDB
public import Wire

/// A release to be accepted: it gets its number and its place in the queue with the record.
public struct NewRelease: Sendable {
    public var target: Target
    public var commit: CommitID?
    public var branch: String
    public var subject = ""
    public var author = ""
    public var trigger: Release.Trigger
    public var noCache = false
    /// A rollback: the release whose artifact, settings and (unless `currentConfig`) configuration come back.
    public var rollbackOf: Int?
    /// Rollback, config, promote: what is taken over from an earlier release.
    public var artifact: Release.Artifact?
    public var manifest: Manifest?
    /// nil: the configuration is taken when the release starts.
    public var config: [String: String]?
    /// An identifier that makes the same trigger, told twice, one release.
    public var deduplication: String?

    public init(target: Target, commit: CommitID?, branch: String, trigger: Release.Trigger) {
        self.target = target
        self.commit = commit
        self.branch = branch
        self.trigger = trigger
    }
}

extension Store {
    /// Accepts a trigger: from the return on it is never lost. A waiting deploy of the same target is superseded by a
    /// newer one.
    /// - Throws: `Failure` of code `unknown-service`, or `duplicate-trigger` when `deduplication` was seen before.
    public func accept(_ new: NewRelease) async throws -> Release {
        try requireFile()
        return try await write(.door) { try Store.accept($0, new) }
    }

    static func accept(_ database: Database, _ new: NewRelease) throws -> Release {
        let now = Timestamp.now
        let service = new.target.service.description
        let environment = new.target.environment.description
        if let identifier = new.deduplication {
            try database.execute(
                sql: "INSERT OR IGNORE INTO accepted VALUES (?, ?)",
                arguments: [identifier, now.milliseconds])
            guard database.changesCount == 1 else {
                throw Failure(code: "duplicate-trigger", "this trigger was accepted before")
            }
        }
        guard
            let number = try Int.fetchOne(
                database, sql: "SELECT nextNumber FROM environment WHERE service = ? AND name = ?",
                arguments: [service, environment])
        else {
            throw Failure(
                code: "unknown-service",
                "there is no service '\(service)' with an environment '\(environment)'")
        }
        try requireArtifact(database, new.artifact)
        try database.execute(
            sql: "UPDATE environment SET nextNumber = ? WHERE service = ? AND name = ?",
            arguments: [number + 1, service, environment])

        var release = Release(
            id: 0, target: new.target, number: number, commit: new.commit, branch: new.branch,
            trigger: new.trigger,
            createdAt: now)
        release.subject = new.subject
        release.author = new.author
        release.noCache = new.noCache
        release.rollbackOf = new.rollbackOf
        release.artifact = new.artifact
        release.manifest = new.manifest
        release.config = new.config
        try database.execute(
            sql:
                "INSERT INTO release (service, environment, number, status, body) VALUES (?, ?, ?, 'queued', ?)",
            arguments: [service, environment, number, try ReleaseBody(release).encoded()])
        release.id = database.lastInsertedRowID
        if new.trigger.isDeploy {
            for var waiting in try open(database, new.target)
            where waiting.status == .queued && waiting.trigger.isDeploy && waiting.number < number {
                waiting.status = .superseded
                waiting.supersededBy = number
                waiting.finishedAt = now
                try save(database, waiting)
            }
        }
        return release
    }

    /// Releases that are queued or deploying, in the order of acceptance.
    public func openReleases(_ target: Target? = nil) async throws -> [Release] {
        try await read { try Store.open($0, target) }
    }

    static func open(_ database: Database, _ target: Target?) throws -> [Release] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT * FROM release WHERE status IN ('queued', 'deploying')
                AND (?1 IS NULL OR (service = ?1 AND environment = ?2)) ORDER BY id
                """, arguments: [target?.service.description, target?.environment.description]
        ).map(ReleaseBody.release)
    }

    public func releases(_ target: Target, limit: Int = 100) async throws -> [Release] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql:
                    "SELECT * FROM release WHERE service = ? AND environment = ? ORDER BY number DESC LIMIT ?",
                arguments: [target.service.description, target.environment.description, limit]
            ).map(ReleaseBody.release)
        }
    }

    public func release(_ target: Target, _ number: Int) async throws -> Release? {
        try await read { database in
            try Row.fetchOne(
                database, sql: "SELECT * FROM release WHERE service = ? AND environment = ? AND number = ?",
                arguments: [target.service.description, target.environment.description, number]
            ).map(ReleaseBody.release)
        }
    }

    /// The release that serves the target, or did so when it was suspended.
    public func live(_ target: Target) async throws -> Release? {
        try await read { try Store.live($0, target) }
    }

    public func allLive() async throws -> [Release] {
        try await read {
            try Row.fetchAll($0, sql: "SELECT * FROM release WHERE live = 1").map(ReleaseBody.release)
        }
    }

    static func live(_ database: Database, _ target: Target) throws -> Release? {
        try Row.fetchOne(
            database, sql: "SELECT * FROM release WHERE service = ? AND environment = ? AND live = 1",
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
                var release = try Row.fetchOne(
                    database, sql: "SELECT * FROM release WHERE id = ?", arguments: [id]
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
        try database.execute(
            sql: "UPDATE release SET live = 0 WHERE service = ? AND environment = ? AND live = 1",
            arguments: [release.target.service.description, release.target.environment.description])
        try database.execute(
            sql: "UPDATE environment SET port = ?, suspended = 0 WHERE service = ? AND name = ?",
            arguments: [
                release.manifest?.port.map { Int($0) }, release.target.service.description,
                release.target.environment.description,
            ])
    }

    static func note(_ database: Database, _ id: Int64, _ step: String) throws {
        try database.execute(
            sql: "INSERT INTO journal (release, at, step) VALUES (?, ?, ?)",
            arguments: [id, Timestamp.now.milliseconds, step])
    }

    /// The steps noted for a release, oldest first.
    public func journal(_ id: Int64) async throws -> [(at: Timestamp, step: String)] {
        try await read { database in
            try Row.fetchAll(
                database, sql: "SELECT at, step FROM journal WHERE release = ? ORDER BY id", arguments: [id]
            )
            .map { (Timestamp(milliseconds: $0["at"]), $0["step"]) }
        }
    }

    static func save(_ database: Database, _ release: Release) throws {
        try database.execute(
            sql: "UPDATE release SET status = ?, live = ?, stage = ?, body = ? WHERE id = ?",
            arguments: [
                release.status.rawValue, release.live, release.stage?.rawValue,
                try ReleaseBody(release).encoded(),
                release.id,
            ])
    }
}
