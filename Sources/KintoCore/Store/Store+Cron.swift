// SPDX-License-Identifier: Apache-2.0
internal import GRDB
public import Wire

/// Runs of types with a schedule. That nothing runs twice is the database's to keep: a time is recorded, under a key that there
/// is once, before anything runs.
extension Store {
    /// A live release, whose schedules count.
    public struct CronPlace: Sendable, Hashable {
        /// The store's key of it.
        public let release: Int64
        public let target: Target
        public let number: Int
    }

    /// Up to when the times of a type have been seen to.
    public struct CronMark: Sendable, Equatable {
        public var target: Target
        public var type: String
        /// As `ScheduledProcess.times`.
        public var times: String
        public var seen: Timestamp
        /// The highest that ever was.
        public var latest: Timestamp

        public init(target: Target, type: String, times: String, seen: Timestamp, latest: Timestamp? = nil) {
            self.target = target
            self.type = type
            self.times = times
            self.seen = seen
            self.latest = latest ?? seen
        }

        /// The same by a clock that may have been wrong for a while, as that of a machine is which has none of its own: what was
        /// seen to before counts again when that time is reached.
        public func seen(at now: Timestamp) -> Timestamp { now >= latest ? max(seen, latest) : seen }
    }

    public enum Beginning: Sendable, Equatable {
        /// It may be let run, when the others, which it replaces, have ended.
        case begun(Run, replaces: [Run])
        /// Its place is taken: that is on record, if it was due.
        case skipped(by: String)
        /// It is on record already, or its release is not live any more.
        case void
    }

    /// So many runs of a type may go on side by side.
    public static let mostAtOnce = 10

    /// All that is live and not suspended.
    public func cronPlaces() async throws -> [CronPlace] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT r.id, r.service, r.environment, r.number FROM release r
                    JOIN environment e ON e.service = r.service AND e.name = r.environment
                    WHERE r.live = 1 AND e.suspended = 0
                    """
            ).map { CronPlace(release: $0[0], target: try Store.target($0[1], $0[2]), number: $0[3]) }
        }
    }

    public func release(id: Int64) async throws -> Release? {
        try await read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM release WHERE id = ?", arguments: [id]).map(
                ReleaseBody.release)
        }
    }

    public func cronMarks() async throws -> [CronMark] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM schedule").map { row in
                CronMark(
                    target: try Store.target(row["service"], row["environment"]), type: row["type"],
                    times: row["times"], seen: Timestamp(milliseconds: row["seen"]),
                    latest: Timestamp(milliseconds: row["latest"]))
            }
        }
    }

    /// Nothing of it is due any more up to its `seen`; what is on record for later times was recorded by a clock that was wrong.
    public func set(_ mark: CronMark) async throws {
        try await write { database in
            let key = Store.key(mark.target, mark.type)
            // The environment may be gone by now.
            try database.execute(
                sql: """
                    INSERT INTO schedule (service, environment, type, times, seen, latest)
                    SELECT service, name, ?3, ?4, ?5, ?5 FROM environment WHERE service = ?1 AND name = ?2
                    ON CONFLICT DO UPDATE SET times = excluded.times, seen = excluded.seen,
                        latest = max(latest, excluded.seen)
                    """, arguments: key + [mark.times, mark.seen.milliseconds])
            try database.execute(
                sql:
                    "UPDATE run SET due = NULL WHERE service = ? AND environment = ? AND type = ? AND due > ?",
                arguments: key + [mark.seen.milliseconds])
        }
    }

    public func remove(_ mark: CronMark) async throws {
        try await write {
            try $0.execute(
                sql: "DELETE FROM schedule WHERE service = ? AND environment = ? AND type = ?",
                arguments: Store.key(mark.target, mark.type))
        }
    }

    /// Times at which nothing was run.
    /// - Parameter seen: up to then all have been seen to.
    public func miss(_ missed: DueTimes.Missed, of run: Run, seen: Timestamp) async throws {
        try await write { database in
            try Store.add(
                database, run, missing: missed.count, from: missed.first, to: missed.last, as: .missed)
            try Store.see(database, run.target, run.occasion?.type ?? "", seen)
        }
    }

    /// Records a run, if it may be.
    /// - Parameter isGoing: whether one that is not over really goes on.
    public func begin(
        _ run: Run, overlap: Manifest.ProcessType.RunOverlap,
        isGoing: @escaping @Sendable (Run) -> Bool
    ) async throws -> Beginning {
        guard let occasion = run.occasion else { return .void }
        return try await write { database in
            let key = Store.key(run.target, occasion.type)
            let isLive = try Bool.fetchOne(
                database,
                sql: """
                    SELECT r.live AND NOT e.suspended FROM release r
                    JOIN environment e ON e.service = r.service AND e.name = r.environment
                    WHERE r.service = ? AND r.environment = ? AND r.number = ?
                    """,
                arguments: [
                    run.target.service.description, run.target.environment.description, run.release,
                ])
            guard isLive == true else { return .void }
            if let due = occasion.due {
                let isKnown = try Bool.fetchOne(
                    database,
                    sql: """
                        SELECT 1 FROM run WHERE service = ?1 AND environment = ?2 AND type = ?3 AND due = ?4
                        UNION SELECT 1 FROM schedule
                        WHERE service = ?1 AND environment = ?2 AND type = ?3 AND seen >= ?4
                        """, arguments: key + [due.milliseconds])
                guard isKnown == nil else { return .void }
                try Store.see(database, run.target, occasion.type, due)
            }
            let others = try Store.runs(
                database,
                "run.service = ? AND run.environment = ? AND run.type = ? AND run.state = 'running' ORDER BY run.id",
                key
            ).filter(isGoing)
            let most = overlap == .forbid ? 0 : overlap == .allow ? Store.mostAtOnce - 1 : Int.max
            if others.count > most, let other = others.last {
                if let due = occasion.due {
                    try Store.add(database, run, missing: 1, from: due, to: due, as: .skipped)
                }
                return .skipped(by: other.name)
            }
            return .begun(try Store.add(database, run), replaces: overlap == .replace ? others : [])
        }
    }

    /// Adds to what stands there of the kind already, if it is the last: nights of it are one line.
    private static func add(
        _ database: Database, _ run: Run, missing count: Int, from first: Timestamp, to last: Timestamp,
        as outcome: Run.Outcome
    ) throws {
        guard let occasion = run.occasion else { return }
        let before = try runs(
            database,
            "run.service = ? AND run.environment = ? AND run.type = ? AND run.state <> 'running' ORDER BY run.id DESC LIMIT 1",
            key(run.target, occasion.type)
        ).first
        if var before, before.end?.outcome == outcome, before.release == run.release {
            before.occasion?.count &+= count
            before.occasion?.until = last
            before.end?.at = .now
            return try save(database, before)
        }
        var run = run
        run.occasion?.due = first
        run.occasion?.count = count
        run.occasion?.until = last
        run.end = Run.End(outcome)
        _ = try add(database, run)
    }

    private static func see(_ database: Database, _ target: Target, _ type: String, _ seen: Timestamp) throws
    {
        try database.execute(
            sql:
                """
                UPDATE schedule SET seen = max(seen, ?4), latest = max(latest, ?4)
                WHERE service = ?1 AND environment = ?2 AND type = ?3
                """,
            arguments: key(target, type) + [seen.milliseconds])
    }

    /// Those of types with a schedule, newest first.
    /// - Parameter type: nil: of all.
    public func cronRuns(_ target: Target, type: String?, limit: Int) async throws -> [Run] {
        try await read { database in
            try Store.runs(
                database,
                """
                run.service = ?1 AND run.environment = ?2 AND run.type IS NOT NULL AND (?3 IS NULL OR run.type = ?3)
                ORDER BY run.id DESC LIMIT ?4
                """,
                [target.service.description, target.environment.description, type, limit])
        }
    }

    /// One by its number.
    public func cronRun(_ target: Target, _ id: Int64) async throws -> Run? {
        try await read { database in
            try Store.runs(
                database, "run.id = ? AND run.service = ? AND run.environment = ? AND run.type IS NOT NULL",
                [id, target.service.description, target.environment.description]
            ).first
        }
    }

    /// Forgets the oldest that are over.
    /// - Returns: those that were, whose logs may go.
    public func forgetRuns(_ target: Target, type: String, beyond count: Int) async throws -> [Run] {
        try await write { database in
            let old = try Store.runs(
                database,
                """
                run.service = ? AND run.environment = ? AND run.type = ? AND run.state <> 'running'
                ORDER BY run.id DESC LIMIT -1 OFFSET ?
                """, Store.key(target, type) + [count])
            for run in old {
                try database.execute(sql: "DELETE FROM run WHERE id = ?", arguments: [run.id])
            }
            return old
        }
    }

    private static func key(_ target: Target, _ type: String) -> StatementArguments {
        [target.service.description, target.environment.description, type]
    }

    private static func target(_ service: String, _ environment: String) throws -> Target {
        Target(service: try ServiceName(service), environment: try EnvironmentName(environment))
    }
}
