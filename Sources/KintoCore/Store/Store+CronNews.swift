// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Wire

/// What is news of runs by schedules: noted in the transaction that records an end, so that none is lost and none is told twice,
/// however long its run stays on record.
extension Store {
    /// So many of a type are kept.
    private static let mostNews = 100

    /// The first failure of a type, and the first success after one.
    static func noteNews(_ database: Database, _ run: Run) throws {
        guard let type = run.occasion?.type, let isFailure = run.end?.outcome.isFailure else { return }
        let key: StatementArguments = [
            run.target.service.description, run.target.environment.description, type,
        ]
        let wasFailure = try Bool.fetchOne(
            database,
            sql: """
                SELECT isFailure FROM cronNews WHERE service = ? AND environment = ? AND type = ?
                ORDER BY id DESC LIMIT 1
                """, arguments: key)
        guard isFailure != (wasFailure ?? false) else { return }
        let body = String(decoding: try JSONEncoder().encode(run), as: UTF8.self)
        try database.execute(
            sql: """
                INSERT INTO cronNews (service, environment, type, isFailure, body)
                SELECT service, name, ?3, ?4, ?5 FROM environment WHERE service = ?1 AND name = ?2
                """, arguments: key + [isFailure, body])
        try database.execute(
            sql: """
                DELETE FROM cronNews WHERE id IN (
                    SELECT id FROM cronNews WHERE service = ? AND environment = ? AND type = ?
                    ORDER BY id DESC LIMIT -1 OFFSET ?)
                """, arguments: key + [Store.mostNews])
    }

    /// Of each type the earliest: a recovery is not told before the failure.
    static func pendingNews(
        _ database: Database, _ target: ReportTarget, since: Int64, at now: Timestamp, limit: Int
    ) throws -> [PendingReport] {
        // It belongs to no commit.
        guard target.kind != .status else { return [] }
        return try Row.fetchAll(
            database,
            sql: """
                SELECT n.*, coalesce(p.attempts, 0) AS toldAttempts
                FROM cronNews n LEFT JOIN cronReport p ON p.target = ?1 AND p.news = n.id
                WHERE n.id > ?2 AND (?3 IS NULL OR n.service = ?3)
                    AND coalesce(p.isTold, 0) = 0 AND coalesce(p.nextAt, 0) <= ?4
                    AND NOT EXISTS (
                        SELECT 1 FROM cronNews e LEFT JOIN cronReport q ON q.target = ?1 AND q.news = e.id
                        WHERE e.service = n.service AND e.environment = n.environment AND e.type = n.type
                            AND e.id < n.id AND e.id > ?2 AND coalesce(q.isTold, 0) = 0)
                ORDER BY n.id LIMIT ?5
                """,
            arguments: [target.id, since, target.service?.description, now.milliseconds, limit]
        ).map { row in
            var run = try JSONDecoder().decode(Run.self, from: Data((row["body"] as String).utf8))
            // A service may have another name by now.
            run.target = Target(
                service: try ServiceName(row["service"] as String),
                environment: try EnvironmentName(row["environment"] as String))
            let news = CronNews(id: row["id"], run: run, isFailure: row["isFailure"])
            return PendingReport(target: target, subject: .cron(news), attempts: row["toldAttempts"])
        }
    }
}
