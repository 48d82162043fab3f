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
        var confirm: String?
    }

    private struct RollbackAnswer: Encodable {
        let release: ReleaseJSON
        let configDiff: [String]
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let actions = actions
        let service = api.group("/services/:name")
        service.get("/releases") { request, context in
            let target = try request.target(context)
            try await actions.require(target)
            let releases = try await actions.store.releases(target, limit: request.limit)
            let times = try await actions.store.stageTimes(target, count: releases.count)
            return try releases.map {
                ReleaseJSON(release: $0, usual: times.usual(before: $0.number))
            }.json()
        }
        service.get("/releases/:number") { request, context in
            let release = try await release(request, context)
            return try ReleaseJSON(release: release, usual: await usual(release)).json()
        }
        service.get("/releases/:number/why") { request, context in
            let release = try await release(request, context)
            return try WhyJSON(release, usual: await usual(release)).json()
        }
        // Of the last one that failed.
        service.get("/why") { request, context in
            let target = try request.target(context)
            try await actions.require(target)
            guard let failed = try await actions.store.lastFailed(target) else {
                throw Failure(code: "unknown-release", "no release of \(target) failed")
            }
            return try WhyJSON(failed, usual: await usual(failed)).json()
        }
        service.get("/releases/:number/log") { request, context in
            let release = try await release(request, context)
            let path = actions.home.releaseLog(release.target, release.number)
            // One that is missing for good has no end that could be waited for.
            return try actions.log(
                path, request, context, isFollowed: !release.status.isFinal || Files.exists(path))
        }
        service.get("/releases/:number/console") { request, context in
            let release = try await release(request, context)
            let name = try release.instance(
                asked: request.uri.queryParameters["process"].map { String($0) })
            return try actions.log(
                actions.home.consoleLog(release.target, release.number, instance: name), request, context)
        }
        service.get("/diff") { request, context in try await compare(request, context).json() }
        service.post("/deploy") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            let taken = try await actions.deploy(
                target,
                DeployWish(
                    ref: ask.ref, noCache: ask.noCache ?? false, force: ask.force ?? false,
                    confirmation: ask.confirm, by: context.by))
            context.note.say(taken)
            return try DeployAnswer.of(taken)
        }
        service.post("/plan") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            return try await DeployPlanner(actions: actions, target: target).plan(
                DeployWish(
                    ref: ask.ref, noCache: ask.noCache ?? false, force: ask.force ?? false,
                    confirmation: ask.confirm)
            ).json()
        }
        service.post("/abort") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            try await actions.require(target)
            let release = try await actions.lanes.abort(target, ask.number)
            if ask.number == nil { context.note.say(release) }
            return try ReleaseJSON(release: release).json()
        }
        service.post("/rollback") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            let (release, diff) = try await actions.rollback(
                target, to: ask.number, currentConfig: ask.currentConfig ?? false, by: context.by)
            context.note.say(release)
            return try RollbackAnswer(release: ReleaseJSON(release: release), configDiff: diff).json(
                .accepted)
        }
    }

    private func compare(_ request: Request, _ context: APIServer.Context) async throws -> Comparison {
        let target = try request.target(context)
        func number(_ name: String) -> Int? {
            request.uri.queryParameters[Substring(name)].flatMap { Int($0) }
        }
        if let to = request.uri.queryParameters["to"] {
            guard number("release") == nil, number("against") == nil else {
                throw Failure(
                    code: "invalid-request", "?to compares environments, ?release compares releases")
            }
            return try await actions.compare(
                target.service, target.environment, with: EnvironmentName(String(to)))
        }
        guard let release = number("release") else {
            guard number("against") == nil else {
                throw Failure(code: "invalid-request", "?against goes with ?release")
            }
            return try await actions.compareBranch(target)
        }
        return try await actions.compare(target, release: release, with: number("against"))
    }

    private func release(_ request: Request, _ context: APIServer.Context) async throws -> Release {
        let target = try request.target(context)
        guard let number = Int(try context.parameters.require("number")),
            let release = try await actions.store.release(target, number)
        else { throw Failure(code: "unknown-release", "there is no such release of \(target)") }
        return release
    }

    private func usual(_ release: Release) async throws -> [String: Double] {
        try await actions.store.stageTimes(release.target, before: release.number).usual()
    }
}

extension Actions {
    /// A log as it is asked for: as text, or as events.
    /// - Parameter isFollowed: it may grow or begin, if somebody wants to wait for that.
    func log(
        _ path: String, _ request: Request, _ context: APIServer.Context, isFollowed: Bool = true
    ) throws -> Response {
        // Refused also where it has no use.
        let last = try EventStream.last(request)
        if EventStream.isWanted(request) {
            guard request.uri.queryParameters["tail"] == nil else {
                throw Failure(
                    code: "invalid-request", "?tail is for plain text; events go on after Last-Event-ID")
            }
            let times = request.uri.queryParameters["times"] != "0"
            return LogEvents(path: path, watch: isFollowed ? logs : nil, times: times)
                .response(after: last ?? 0, context)
        }
        let tail = request.uri.queryParameters["tail"].flatMap { Int($0) }.map { max(0, $0) }
        return .following(
            LogFollower(
                path: path, watch: request.flag("follow") && isFollowed ? logs : nil,
                text: LogText(
                    times: request.uri.queryParameters["times"] != "0", isTerminal: request.flag("terminal")),
                tail: tail))
    }
}

extension Response {
    /// A log that is shown to its end.
    struct Followed: Sendable {
        var log: LogFollower
        /// What is shown of it; nil: all.
        var view: PushView?
        /// What stands after it.
        var tail: (@Sendable () async -> [UInt8])?
    }

    static func following(_ log: LogFollower) -> Response { following([Followed(log: log)]) }

    /// Logs as plain text, one after the other, each chunk sent as it comes.
    static func following(_ all: [Followed], after: [UInt8] = []) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                if !after.isEmpty {
                    try await writer.write(ByteBuffer(bytes: after))
                    Fault.answered.pass()
                }
                for followed in all {
                    var view = followed.view
                    try await followed.log.read { chunk in
                        guard let part = view?.show(Array(buffer: chunk)) else {
                            return try await writer.write(chunk)
                        }
                        if !part.isEmpty { try await writer.write(ByteBuffer(bytes: part)) }
                    }
                    if let last = await followed.tail?(), !last.isEmpty {
                        try await writer.write(ByteBuffer(bytes: last))
                    }
                }
                try await writer.finish(nil)
            })
    }
}
