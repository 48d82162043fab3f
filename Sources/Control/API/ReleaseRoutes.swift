// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Runner
internal import Wire

/// Releases: history, logs, and what makes new ones.
struct ReleaseRoutes: Sendable {
    let actions: Actions

    private struct Ask: Decodable {
        var environment: String?
        var ref: String?
        var noCache: Bool?
        var force: Bool?
        var number: Int?
        var currentConfig: Bool?
        var set: [String: String]?
        var unset: [String]?
    }

    private struct RollbackAnswer: Encodable {
        let release: ReleaseJSON
        let configDiff: [String]
    }

    private struct ConfigAnswer: Encodable {
        let release: ReleaseJSON?
    }

    private struct Variable: Encodable {
        let name: String
        let value: String
        let secret = true
    }

    private struct Variables: Encodable {
        let variables: [Variable]
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let actions = actions
        let service = api.group("/services/:name")
        service.get("/releases") { request, context in
            let target = try request.target(context)
            try await actions.require(target)
            let limit = request.uri.queryParameters["limit"].flatMap { Int($0) } ?? 100
            return try await actions.store.releases(target, limit: min(max(limit, 1), 10_000)).map(
                ReleaseJSON.init
            ).json()
        }
        service.get("/releases/:number") { request, context in
            try ReleaseJSON(release: await release(request, context)).json()
        }
        service.get("/releases/:number/log") { request, context in
            let release = try await release(request, context)
            return stream(actions.home.releaseLog(release.target, release.number), request)
        }
        service.get("/releases/:number/console") { request, context in
            let release = try await release(request, context)
            return stream(actions.home.consoleLog(release.target, release.number, instance: "web.1"), request)
        }
        service.post("/deploy") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            return try DeployAnswer.of(
                await actions.deploy(
                    target, ref: ask.ref, noCache: ask.noCache ?? false, force: ask.force ?? false))
        }
        service.post("/abort") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            try await actions.require(target)
            return try ReleaseJSON(release: await actions.lanes.abort(target, ask.number)).json()
        }
        service.post("/rollback") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            let (release, diff) = try await actions.rollback(
                target, to: ask.number, currentConfig: ask.currentConfig ?? false)
            return try RollbackAnswer(release: ReleaseJSON(release: release), configDiff: diff).json(
                .accepted)
        }
        service.get("/config") { request, context in
            let target = try request.target(context)
            try await actions.require(target)
            let config = try await actions.store.config(target)
            return try Variables(
                variables: config.sorted { $0.key < $1.key }.map { Variable(name: $0.key, value: $0.value) }
            )
            .json()
        }
        service.patch("/config") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            let release = try await actions.configure(target, set: ask.set ?? [:], unset: ask.unset ?? [])
            return try ConfigAnswer(release: release.map(ReleaseJSON.init)).json()
        }
    }

    private func release(_ request: Request, _ context: APIServer.Context) async throws -> Release {
        let target = try request.target(context)
        guard let number = Int(try context.parameters.require("number")),
            let release = try await actions.store.release(target, number)
        else { throw Failure(code: "unknown-release", "there is no such release of \(target)") }
        return release
    }

    private func stream(_ path: String, _ request: Request) -> Response {
        let tail = request.uri.queryParameters["tail"].flatMap { Int($0) }.map { max(0, $0) }
        return .following(
            LogFollower(path: path, follow: request.flag("follow"), tail: tail),
            times: request.uri.queryParameters["times"] != "0")
    }
}

extension Response {
    /// A log as plain text, each chunk sent as it comes; without times as a push shows it.
    static func following(
        _ follower: LogFollower, times: Bool, after: [UInt8] = [],
        tail: (@Sendable () async -> [UInt8])? = nil
    ) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                if !after.isEmpty { try await writer.write(ByteBuffer(bytes: after)) }
                for await chunk in follower.chunks() {
                    try await writer.write(ByteBuffer(bytes: times ? chunk : LogText.withoutTimes(chunk)))
                }
                if let last = await tail?(), !last.isEmpty { try await writer.write(ByteBuffer(bytes: last)) }
                try await writer.finish(nil)
            })
    }
}

/// The stored form of log lines: 24 bytes of time and a space before each.
enum LogText {
    static func withoutTimes(_ chunk: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(chunk.count)
        for line in chunk.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
            out.append(contentsOf: line.dropFirst(25))
            out.append(UInt8(ascii: "\n"))
        }
        return out
    }
}
