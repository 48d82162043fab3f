// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore

/// What is kept of releases.
struct StorageRoutes: Sendable {
    let actions: Actions

    private struct Ask: Decodable {
        let service: String?
        /// Artifacts of each environment.
        let keep: Int?
        let dryRun: Bool?
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let actions = actions
        api.post("/prune") { request, _ in
            let ask = try await request.decoded(Ask.self)
            let only = try ask.service.map { try ServiceName($0) }
            if let only { try await actions.require(Target(service: only)) }
            if let keep = ask.keep, keep < 1 {
                throw Failure(code: "invalid-request", "at least one artifact is kept")
            }
            return try await actions.retention.prune(only: only, keep: ask.keep, isDry: ask.dryRun ?? false)
                .json()
        }
        for (path, isPinned) in [("pin", true), ("unpin", false)] {
            api.post("/services/:name/releases/:number/\(path)") { request, context in
                let target = try request.target(context)
                guard let number = Int(try context.parameters.require("number")) else {
                    throw Failure(code: "unknown-release", "a release is a number")
                }
                try await actions.store.pin(target, number, isPinned)
                return try [String: String]().json()
            }
        }
    }
}

extension ServeOptions {
    /// - Throws: `Failure` of code `invalid-keep`.
    func retention() throws -> RetentionSettings {
        do { return try RetentionSettings(keep) } catch {
            throw Failure(code: "invalid-keep", "--keep: \(error)")
        }
    }
}
