// SPDX-License-Identifier: Apache-2.0
internal import GRDB

/// The same as GRDB's own, with statements that each connection prepares once: to prepare one, with its triggers and all its columns,
/// takes longer than to run it.
extension Database {
    func rows(sql: String, arguments: StatementArguments = []) throws -> [Row] {
        try Row.fetchAll(cachedStatement(sql: sql), arguments: arguments)
    }

    func row(sql: String, arguments: StatementArguments = []) throws -> Row? {
        try Row.fetchOne(cachedStatement(sql: sql), arguments: arguments)
    }

    /// One statement.
    func run(sql: String, arguments: StatementArguments = []) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
