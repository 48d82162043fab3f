// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB

extension Store {
    /// Records a run and gives it its number.
    /// - Throws: `Failure` of code `unknown-release` when the release is gone.
    public func add(_ run: Run) async throws -> Run {
        try await write { database in
            let release = try Int64.fetchOne(
                database, sql: "SELECT id FROM release WHERE service = ? AND environment = ? AND number = ?",
                arguments: [
                    run.target.service.description, run.target.environment.description, run.release,
                ])
            guard let release else {
                throw Failure(code: "unknown-release", "release \(run.release) of \(run.target) is gone")
            }
            try database.execute(sql: "INSERT INTO run (release, body) VALUES (?, '')", arguments: [release])
            var run = run
            run.id = database.lastInsertedRowID
            try Store.save(database, run)
            return run
        }
    }

    public func update(_ run: Run) async throws { try await write { try Store.save($0, run) } }

    /// It is over.
    public func remove(_ run: Run) async throws {
        try await write { try $0.execute(sql: "DELETE FROM run WHERE id = ?", arguments: [run.id]) }
    }

    /// Those that are not over, as far as anybody knows; oldest first.
    public func runs() async throws -> [Run] {
        try await read { database in
            try String.fetchAll(database, sql: "SELECT body FROM run ORDER BY id").map {
                try JSONDecoder().decode(Run.self, from: Data($0.utf8))
            }
        }
    }

    private static func save(_ database: Database, _ run: Run) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try database.execute(
            sql: "UPDATE run SET body = ? WHERE id = ?",
            arguments: [String(decoding: try encoder.encode(run), as: UTF8.self), run.id])
    }
}
