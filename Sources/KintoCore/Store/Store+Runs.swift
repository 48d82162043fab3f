// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
public import Wire

extension Store {
    /// Records a run and gives it its number.
    /// - Throws: `Failure` of code `unknown-release` when the release is gone.
    public func add(_ run: Run) async throws -> Run { try await write { try Store.add($0, run) } }

    static func add(_ database: Database, _ run: Run) throws -> Run {
        let target = run.target
        let release = try Int64.fetchOne(
            database, sql: "SELECT id FROM release WHERE service = ? AND environment = ? AND number = ?",
            arguments: [target.service.description, target.environment.description, run.release])
        guard let release else {
            throw Failure(code: "unknown-release", "release \(run.release) of \(target) is gone")
        }
        var columns: StatementArguments = [nil, nil, nil, nil]
        if let occasion = run.occasion {
            columns = [
                target.service.description, target.environment.description, occasion.type,
                occasion.due?.milliseconds,
            ]
        }
        try database.execute(
            sql: """
                INSERT INTO run (release, body, service, environment, type, due, state, code, count)
                VALUES (?, '', ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [release] + columns + [
                run.end?.outcome.rawValue ?? "running", run.end?.code, run.occasion?.count ?? 1,
            ])
        var run = run
        run.id = database.lastInsertedRowID
        try save(database, run)
        return run
    }

    /// Records who watches over it, before it is let run.
    /// - Throws: `Failure` of code `unknown-run` when it is gone or is to end: then it must not begin.
    public func begin(_ run: Run, under supervisor: ProcessIdentity) async throws {
        try await write { database in
            guard var known = try Store.run(database, run.id), known.end == nil, known.stopping == nil else {
                throw Failure(code: "unknown-run", "\(run.name) of \(run.target) is not to run any more")
            }
            known.supervisor = supervisor
            known.statePath = run.statePath
            known.grace = run.grace
            try Store.save(database, known)
        }
    }

    /// It is over, and forgotten.
    public func remove(_ run: Run) async throws {
        try await write { try $0.execute(sql: "DELETE FROM run WHERE id = ?", arguments: [run.id]) }
    }

    /// It is to end, from now on also when the server dies.
    /// - Returns: as it is now; nil: it is over.
    public func stop(_ run: Run, as outcome: Run.Outcome) async throws -> Run? {
        try await write { database in
            guard var known = try Store.run(database, run.id), known.end == nil else { return nil }
            known.stopping = known.stopping ?? outcome
            try Store.save(database, known)
            return known
        }
    }

    /// It is over, and stays on record.
    /// - Returns: nil when it was over already, or is gone.
    public func end(_ run: Run, _ end: @escaping @Sendable (Run) -> Run.End) async throws -> Run? {
        try await write { database in
            guard var known = try Store.run(database, run.id), known.end == nil else { return nil }
            known.end = end(known)
            try Store.save(database, known)
            try Store.noteNews(database, known)
            return known
        }
    }

    /// Those that are not over, as far as anybody knows; oldest first.
    public func runs() async throws -> [Run] {
        try await read { try Store.runs($0, "run.state = 'running' ORDER BY run.id", []) }
    }

    static func run(_ database: Database, _ id: Int64) throws -> Run? {
        try runs(database, "run.id = ?", [id]).first
    }

    /// - Parameter condition: goes after WHERE.
    static func runs(_ database: Database, _ condition: String, _ arguments: StatementArguments) throws
        -> [Run]
    {
        try Row.fetchAll(
            database,
            sql: """
                SELECT run.body, release.service, release.environment
                FROM run JOIN release ON release.id = run.release WHERE \(condition)
                """, arguments: arguments
        ).map { row in
            var run = try JSONDecoder().decode(Run.self, from: Data((row[0] as String).utf8))
            // A service may have another name by now.
            run.target = Target(
                service: try ServiceName(row[1] as String), environment: try EnvironmentName(row[2] as String)
            )
            return run
        }
    }

    static func save(_ database: Database, _ run: Run) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try database.execute(
            sql: "UPDATE run SET body = ?, state = ?, code = ?, count = ? WHERE id = ?",
            arguments: [
                String(decoding: try encoder.encode(run), as: UTF8.self),
                run.end?.outcome.rawValue ?? "running", run.end?.code, run.occasion?.count ?? 1, run.id,
            ])
    }
}
