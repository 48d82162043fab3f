// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
public import Wire

/// Environments of branches.
extension Store {
    /// - Parameter rule: nil: no branch gets one any more; those that are there stay until their end.
    /// - Throws: `Failure` of code `unknown-service`.
    public func set(_ service: ServiceName, previews rule: PreviewRule?) async throws {
        let text = try rule.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
        try await write { try Store.change($0, service, "previews = ?", [text]) }
    }

    /// Registers a preview with the variables that its rule gives it, in one step. A fork's gets no secrets, whatever the rule
    /// says.
    /// - Returns: false: the name was taken meanwhile, and nothing was done.
    /// - Throws: `Failure` of code `unknown-service`.
    public func open(_ preview: RegisteredEnvironment, _ rule: PreviewRule) async throws -> Bool {
        try requireFile()
        let target = preview.target
        return try await write(.door) { database in
            let service = target.service.description
            guard
                try Bool.fetchOne(database, sql: "SELECT 1 FROM service WHERE name = ?", arguments: [service])
                    != nil
            else { throw Failure(code: "unknown-service", "there is no service '\(service)'") }
            try database.execute(
                sql: """
                    INSERT INTO environment (service, name, branch, autoDeploy, isProtected, previewUntil)
                    VALUES (?, ?, ?, 1, 0, ?) ON CONFLICT DO NOTHING
                    """,
                arguments: [
                    service, target.environment.description, preview.branch,
                    preview.previewUntil?.milliseconds,
                ])
            guard database.changesCount == 1 else { return false }
            let from = Target(service: target.service, environment: rule.config ?? .production)
            for variable in try Store.variables(database, from)
            where !variable.isSecret || rule.config != nil && !preview.isOfFork {
                try Store.set(database, target, variable.name, variable.value, variable.isSecret)
            }
            return true
        }
    }

    /// When previews end; others are not touched.
    public func set(_ targets: [Target], previewUntil end: Timestamp) async throws {
        guard !targets.isEmpty else { return }
        try await write { database in
            for target in targets {
                try database.run(
                    sql: """
                        UPDATE environment SET previewUntil = ?
                        WHERE service = ? AND name = ? AND previewUntil IS NOT NULL
                        """,
                    arguments: [
                        end.milliseconds, target.service.description, target.environment.description,
                    ])
            }
        }
    }

    /// All previews, the one that ends first at the beginning.
    public func previews() async throws -> [RegisteredEnvironment] {
        try await read { database in
            try database.rows(
                sql: "SELECT * FROM environment WHERE previewUntil IS NOT NULL ORDER BY previewUntil"
            ).map(Store.environment)
        }
    }
}
