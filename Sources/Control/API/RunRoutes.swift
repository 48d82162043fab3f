// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import Wire

/// Commands that are run once. What they read and print is handed over as descriptors, so only on the server itself.
struct RunRoutes: Sendable {
    let actions: Actions
    /// Over the unix socket: by the user whom the server runs as.
    let isLocal: Bool

    private struct Ask: Decodable {
        let environment: String?
        let release: Int?
        let command: [String]
        let terminal: String?
        let detach: Bool?
    }

    private struct Stop: Decodable {
        let environment: String?
        let run: String
    }

    private struct Answer: Encodable {
        let run: RunJSON
        let socket: String?
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let (actions, isLocal) = (actions, isLocal)
        api.post("/services/:name/run") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            guard isLocal else {
                throw Failure(
                    code: "local-only", "commands are run on the server itself only",
                    hints: [
                        .init(
                            "log in there, as the user whom kinto runs as",
                            command: "kinto run NAME -- COMMAND")
                    ])
            }
            let started = try await actions.run(
                target,
                RunWish(
                    release: ask.release, command: ask.command, terminal: ask.terminal,
                    isDetached: ask.detach ?? false))
            return try Answer(run: RunJSON(started.run), socket: started.socket).json(.created)
        }
        api.post("/services/:name/run/stop") { request, context in
            let ask = try await request.decoded(Stop.self)
            try await actions.stopRun(try request.target(context, environment: ask.environment), ask.run)
            return try [String: String]().json()
        }
    }
}

/// A command that runs.
struct RunJSON: Encodable, Sendable {
    let name: String
    let release: Int
    let command: String
    let startedAt: String
    let detached: Bool
    let supervisor: Int32?

    init(_ run: Run) {
        name = run.name
        release = run.release
        command = run.command
        startedAt = run.startedAt.rfc3339
        detached = run.isDetached
        supervisor = run.supervisor?.pid
    }
}
