// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB

extension Store {
    /// The stages of a target's successful releases.
    /// - Parameters:
    ///   - number: only of those before it.
    ///   - count: for how many releases their own `usual` can be asked.
    public func stageTimes(_ target: Target, before number: Int? = nil, count: Int = 1) async throws
        -> StageTimes
    {
        try await read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT number, json_extract(body, '$.timings') AS timings FROM release
                    WHERE service = ? AND environment = ? AND number < ? AND status = 'deployed'
                    ORDER BY number DESC LIMIT ?
                    """,
                arguments: [
                    target.service.description, target.environment.description, number ?? Int.max,
                    StageTimes.window + count,
                ])
            return StageTimes(
                rows.map { row in
                    let text: String = row["timings"] ?? "{}"
                    let timings = try? JSONDecoder().decode([String: Double].self, from: Data(text.utf8))
                    return (row["number"], timings ?? [:])
                })
        }
    }
}
