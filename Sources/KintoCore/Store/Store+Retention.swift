// SPDX-License-Identifier: Apache-2.0
internal import GRDB
public import Wire

extension Store {
    /// Releases that stay for what somebody wants with them, or for what runs in them.
    private static let pinned =
        "SELECT release FROM pin UNION SELECT release FROM run WHERE state = 'running'"

    /// What may go now.
    /// - Parameters:
    ///   - only: nil: of all services.
    ///   - isAsked: by a person, now.
    public func retentionPlan(
        _ settings: RetentionSettings, now: Timestamp = .now, only: ServiceName? = nil, isAsked: Bool = false
    ) async throws -> RetentionPlan {
        try await read { database in
            // Without the rest of the history, which may be long.
            let releases = try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM release WHERE live = 1 OR status IN ('queued', 'deploying')
                    OR json_extract(body, '$.artifact.available') = 1
                    OR json_array_length(body, '$.instances') > 0 OR id IN (SELECT release FROM pin)
                    OR id IN (SELECT release FROM run WHERE state = 'running')
                    """
            ).map(ReleaseBody.release)
            let pinned = try Int64.fetchSet(
                database, sql: Store.pinned)
            return RetentionPlan(
                releases, pinned: pinned, settings: settings, now: now, only: only, isAsked: isAsked)
        }
    }

    /// Says of every release with this artifact that it is not there any more, unless one has come to need it since the
    /// plan was made. Only then may its files go.
    /// - Returns: whether they may.
    public func giveUp(artifact identifier: String) async throws -> Bool {
        try await write { database in
            let holders = try Row.fetchAll(
                database, sql: "SELECT * FROM release WHERE json_extract(body, '$.artifact.identifier') = ?",
                arguments: [identifier]
            ).map(ReleaseBody.release)
            let pinned = try Int64.fetchSet(
                database, sql: Store.pinned)
            let isNeeded = holders.contains {
                $0.live || !$0.status.isFinal || !$0.instances.isEmpty || pinned.contains($0.id)
            }
            guard !isNeeded else { return false }
            for var release in holders {
                release.artifact?.available = false
                try Store.save(database, release)
            }
            return true
        }
    }

    /// Refuses to accept what has no artifact any more: retention, or the removal of the environment that it came from, may have
    /// come between the choice and this.
    static func requireArtifact(_ database: Database, _ artifact: Release.Artifact?) throws {
        guard let artifact else { return }
        let isThere = try Bool.fetchOne(
            database,
            sql: """
                SELECT min(json_extract(body, '$.artifact.available')) FROM release
                WHERE json_extract(body, '$.artifact.identifier') = ?
                """, arguments: [artifact.identifier])
        guard isThere == true else {
            throw Failure(
                code: "artifact-missing", "the artifact \(artifact.identifier) is not kept any more",
                hints: [.init("deploy the commit again, which builds it anew")])
        }
    }

    /// The oldest releases of environments that have more of them, at most 500.
    public func releasesBeyond(_ count: Int, only: ServiceName? = nil) async throws -> [Release] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM release WHERE id IN (
                        SELECT id FROM (
                            SELECT id, service,
                                row_number() OVER (PARTITION BY service, environment ORDER BY number DESC) AS place
                            FROM release)
                        WHERE place > ?1 AND (?2 IS NULL OR service = ?2))
                    AND live = 0 AND status NOT IN ('queued', 'deploying') ORDER BY id LIMIT 500
                    """, arguments: [count, only?.description]
            ).map(ReleaseBody.release)
        }
    }

    /// Takes releases out of the history that are over and have nothing any more.
    /// - Returns: those that were.
    public func forget(_ releases: [Release]) async throws -> [Release] {
        let ids = releases.map(\.id)
        return try await write { database in
            try ids.compactMap { id in
                guard
                    let release = try Row.fetchOne(
                        database, sql: "SELECT * FROM release WHERE id = ?", arguments: [id]
                    ).map(ReleaseBody.release), !release.live, release.status.isFinal,
                    release.instances.isEmpty,
                    release.artifact?.available != true
                else { return nil }
                try database.execute(sql: "DELETE FROM release WHERE id = ?", arguments: [id])
                return release
            }
        }
    }

    /// Removes old steps of releases that are over, deliveries and the identifiers of triggers. Of each the newest are
    /// kept whatever their dates say.
    /// - Returns: how many rows.
    public func forgetRecords(before time: Timestamp, count: Bool = false) async throws -> Int {
        let conditions: [(table: String, condition: String)] = [
            (
                "journal",
                "at < ?1 AND id <= (SELECT max(id) FROM journal) - 10000 AND release NOT IN (SELECT id FROM release WHERE live OR status IN ('queued', 'deploying'))"
            ),
            (
                "delivery",
                "at < ?1 AND at <= (SELECT coalesce((SELECT at FROM delivery ORDER BY at DESC LIMIT 1 OFFSET 1000), -1))"
            ),
            (
                "accepted",
                "at < ?1 AND at <= (SELECT coalesce((SELECT at FROM accepted ORDER BY at DESC LIMIT 1 OFFSET 10000), -1))"
            ),
        ]
        if count {
            return try await read { database in
                try conditions.reduce(0) {
                    try $0
                        + (Int.fetchOne(
                            database, sql: "SELECT count(*) FROM \($1.table) WHERE \($1.condition)",
                            arguments: [time.milliseconds]) ?? 0)
                }
            }
        }
        return try await write { database in
            try conditions.reduce(0) {
                try database.execute(
                    sql: "DELETE FROM \($1.table) WHERE \($1.condition)", arguments: [time.milliseconds])
                return $0 + database.changesCount
            }
        }
    }

    /// Keeps a release's artifact and logs until it is unpinned.
    /// - Throws: `Failure` of code `unknown-release`, or `artifact-missing`: nothing is there to keep.
    public func pin(_ target: Target, _ number: Int, _ isPinned: Bool) async throws {
        try await write(.door) { database in
            guard
                let release = try Row.fetchOne(
                    database,
                    sql: "SELECT * FROM release WHERE service = ? AND environment = ? AND number = ?",
                    arguments: [target.service.description, target.environment.description, number]
                ).map(ReleaseBody.release)
            else { throw Failure(code: "unknown-release", "there is no release \(number) of \(target)") }
            if isPinned {
                guard release.artifact?.available == true else {
                    throw Failure(
                        code: "artifact-missing", "release \(number) has no artifact that could be kept")
                }
                try database.execute(sql: "INSERT OR IGNORE INTO pin VALUES (?)", arguments: [release.id])
            } else {
                try database.execute(sql: "DELETE FROM pin WHERE release = ?", arguments: [release.id])
            }
        }
    }
}
