// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
public import Wire

/// What was reported to whom. Nothing is queued: a target is due a report of each release whose state is not the one that it was
/// told last, so that none is lost and one that comes late tells what is true then.
extension Store {
    /// Releases that are accepted from now on are reported, and what is news of schedules from now on.
    /// - Returns: the target's number.
    public func add(_ target: ReportTarget) async throws -> Int64 {
        let mail = try target.mail.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
        return try await write { database in
            try database.execute(
                sql: """
                    INSERT INTO reportTarget (service, kind, url, secret, mail, since, cronSince)
                    VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(id), 0) FROM release),
                        (SELECT coalesce(max(id), 0) FROM cronNews))
                    """,
                arguments: [target.service?.description, target.kind.rawValue, target.url, "", mail])
            let id = database.lastInsertedRowID
            try database.execute(
                sql: "UPDATE reportTarget SET secret = ? WHERE id = ?",
                arguments: [try SecretBox.required().seal(target.secret, for: Store.place(ofReport: id)), id])
            return id
        }
    }

    /// - Throws: `Failure` of code `unknown-report`.
    public func removeReportTarget(_ id: Int64) async throws {
        try await write { database in
            try database.execute(sql: "DELETE FROM reportTarget WHERE id = ?", arguments: [id])
            guard database.changesCount == 1 else {
                throw Failure(
                    code: "unknown-report", "there is no report \(id)",
                    hints: [.init("see what there is", command: "kinto report list")])
            }
        }
    }

    /// In the order in which they were added, each with what went wrong last.
    public func reportTargets() async throws -> [(target: ReportTarget, problem: String?, waiting: Int)] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT t.*, coalesce(
                            (SELECT problem FROM report WHERE target = t.id AND nextAt IS NOT NULL
                                ORDER BY release DESC LIMIT 1),
                            (SELECT problem FROM cronReport WHERE target = t.id AND problem IS NOT NULL
                                ORDER BY nextAt IS NULL, news DESC LIMIT 1),
                            (SELECT problem FROM report WHERE target = t.id AND problem IS NOT NULL
                                ORDER BY release DESC LIMIT 1)) AS problem,
                        (SELECT count(*) FROM report WHERE target = t.id AND nextAt IS NOT NULL)
                            + (SELECT count(*) FROM cronReport WHERE target = t.id AND nextAt IS NOT NULL) AS waiting
                    FROM reportTarget t ORDER BY id
                    """
            ).map { (try reportTarget($0), $0["problem"], $0["waiting"]) }
        }
    }

    /// What is due now, oldest first, a few of each target.
    public func pendingReports(_ id: Int64, at now: Timestamp, limit: Int = 20) async throws
        -> [PendingReport]
    {
        try await read { database in
            guard
                let row = try Row.fetchOne(
                    database, sql: "SELECT * FROM reportTarget WHERE id = ?", arguments: [id])
            else { return [] }
            let target = try reportTarget(row)
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT r.*, p.state AS toldState, coalesce(p.attempts, 0) AS toldAttempts,
                        (SELECT b.status FROM release b WHERE b.service = r.service AND b.environment = r.environment
                            AND b.id < r.id AND b.status IN ('deployed', 'failed') ORDER BY b.id DESC LIMIT 1) AS beforeState,
                        r.status = 'superseded' AND EXISTS (
                            SELECT 1 FROM release s WHERE s.service = r.service AND s.environment = r.environment
                            AND s.number = json_extract(r.body, '$.supersededBy') AND s.number < r.number
                            AND json_extract(s.body, '$.commit') = json_extract(r.body, '$.commit')) AS isRepetition
                    FROM release r LEFT JOIN report p ON p.target = ?1 AND p.release = r.id
                    WHERE r.id > ?2 AND (?3 IS NULL OR r.service = ?3)
                        AND (p.state IS NULL OR p.state != r.status) AND coalesce(p.nextAt, 0) <= ?4
                    ORDER BY r.id LIMIT ?5
                    """,
                arguments: [id, row["since"] as Int64, target.service?.description, now.milliseconds, limit])
            let releases = try rows.map { row in
                PendingReport(
                    target: target,
                    subject: .release(
                        try ReleaseBody.release(row),
                        told: (row["toldState"] as String?).flatMap { Release.Status(rawValue: $0) },
                        before: (row["beforeState"] as String?).flatMap { Release.Status(rawValue: $0) }),
                    attempts: row["toldAttempts"], isRepetition: row["isRepetition"])
            }
            return try releases
                + Store.pendingNews(database, target, since: row["cronSince"], at: now, limit: limit)
        }
    }

    /// When the next one that failed is tried again; nil: none waits.
    public func nextReport() async throws -> Timestamp? {
        try await read {
            try Int64.fetchOne(
                $0,
                sql: """
                    SELECT min(nextAt) FROM (SELECT nextAt FROM report WHERE nextAt IS NOT NULL
                        UNION ALL SELECT nextAt FROM cronReport WHERE nextAt IS NOT NULL)
                    """
            ).map(Timestamp.init(milliseconds:))
        }
    }

    /// The target knows this state now, or has no use for it.
    /// - Parameter problem: why it was given up.
    public func reported(_ report: PendingReport, problem: String? = nil) async throws {
        try await write { database in
            switch report.subject {
            case .release(let release, _, _):
                try database.execute(
                    sql:
                        "INSERT OR REPLACE INTO report (target, release, state, attempts, problem) VALUES (?, ?, ?, 0, ?)",
                    arguments: [report.target.id, release.id, release.status.rawValue, problem])
            case .cron(let news):
                try database.execute(
                    sql:
                        "INSERT OR REPLACE INTO cronReport (target, news, isTold, attempts, problem) VALUES (?, ?, 1, 0, ?)",
                    arguments: [report.target.id, news.id, problem])
            }
        }
    }

    /// It is tried again later.
    public func reportFailed(_ report: PendingReport, _ problem: String, next: Timestamp) async throws {
        try await write { database in
            switch report.subject {
            case .release(let release, let told, _):
                try database.execute(
                    sql: """
                        INSERT OR REPLACE INTO report (target, release, state, attempts, nextAt, problem)
                        VALUES (?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        report.target.id, release.id, told?.rawValue, report.attempts + 1, next.milliseconds,
                        problem,
                    ])
            case .cron(let news):
                try database.execute(
                    sql: """
                        INSERT OR REPLACE INTO cronReport (target, news, isTold, attempts, nextAt, problem)
                        VALUES (?, ?, 0, ?, ?, ?)
                        """,
                    arguments: [
                        report.target.id, news.id, report.attempts + 1, next.milliseconds, problem,
                    ])
            }
        }
    }

    /// One value at once, then one after each transaction that changed releases, news of schedules or targets; several may be told as one.
    public func changesOfReleases() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        continuation.yield()
        let observation = DatabaseRegionObservation(
            tracking: Table("release"), Table("cronNews"), Table("reportTarget")
        ).start(in: pool, onError: { _ in continuation.finish() }, onChange: { _ in continuation.yield() })
        continuation.onTermination = { _ in observation.cancel() }
        return stream
    }

    fileprivate static func place(ofReport id: Int64) -> String { "secret of report \(id)" }

    static func resealReports(_ database: Database, _ again: (String, String) throws -> String) throws {
        for row in try Row.fetchAll(database, sql: "SELECT id, secret FROM reportTarget") {
            let id: Int64 = row[0]
            try database.execute(
                sql: "UPDATE reportTarget SET secret = ? WHERE id = ?",
                arguments: [try again(row[1], Store.place(ofReport: id)), id])
        }
    }
}

private func reportTarget(_ row: Row) throws -> ReportTarget {
    let id: Int64 = row["id"]
    return ReportTarget(
        id: id, service: try (row["service"] as String?).map { try ServiceName($0) },
        kind: ReportTarget.Kind(rawValue: row["kind"]) ?? .webhook, url: row["url"],
        secret: try SecretBox.required().open(row["secret"], for: Store.place(ofReport: id)),
        mail: try (row["mail"] as String?).map {
            try JSONDecoder().decode(MailSettings.self, from: Data($0.utf8))
        })
}
