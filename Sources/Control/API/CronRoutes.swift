// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import Wire

/// Types with a schedule, their runs and what these printed.
struct CronRoutes: Sendable {
    let actions: Actions

    private struct Wish: Decodable {
        let environment: String?
        let type: String
    }

    private struct Stop: Decodable {
        let environment: String?
        let run: String
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let actions = actions
        let cron = api.group("/services/:name/cron")
        cron.get("") { request, context in
            let target = try request.target(context)
            try await actions.require(target)
            return try await actions.schedules(target).json()
        }
        cron.get("/runs") { request, context in
            let target = try request.target(context)
            try await actions.require(target)
            let type = request.uri.queryParameters["type"].map { String($0) }
            return try await actions.store.cronRuns(target, type: type, limit: request.limit).map(
                CronRunJSON.init
            ).json()
        }
        cron.get("/runs/:run") { request, context in
            try CronRunJSON(await run(request, context)).json()
        }
        cron.get("/runs/:run/log") { request, context in
            let run = try await run(request, context)
            let path = actions.home.consoleLog(run.target, run.release, instance: run.name)
            return try actions.log(path, request, context, isFollowed: run.end == nil)
        }
        cron.post("/run") { request, context in
            let wish = try await request.decoded(Wish.self)
            let target = try request.target(context, environment: wish.environment)
            context.note.say(wish.type)
            let run = try await actions.runScheduled(target, wish.type, by: context.by)
            context.note.say(run.name)
            return try CronRunJSON(run).json(.created)
        }
        cron.post("/stop") { request, context in
            let stop = try await request.decoded(Stop.self)
            context.note.say(stop.run)
            try await actions.stopRun(
                try request.target(context, environment: stop.environment), stop.run, scheduled: true)
            return try [String: String]().json()
        }
    }

    private func run(_ request: Request, _ context: APIServer.Context) async throws -> Run {
        let target = try request.target(context)
        let name = try context.parameters.require("run")
        guard let id = name.split(separator: ".").last.flatMap({ Int64($0) }),
            let run = try await actions.store.cronRun(target, id), run.name == name
        else {
            throw Failure(
                code: "unknown-run", "there is no such run of \(target)",
                hints: [.init("see which there are", command: "kinto cron \(target.words) history")])
        }
        return run
    }
}

/// A run by a schedule, or what stands for those that were not.
struct CronRunJSON: Encodable, Sendable {
    let run, type: String
    let release: Int
    let state: String
    let due, by: String?
    let count: Int
    let until: String?
    let startedAt: String
    let finishedAt: String?
    let code: Int?
    let problem: String?
    let command: String

    init(_ run: Run) {
        self.run = run.name
        type = run.occasion?.type ?? ""
        release = run.release
        state = run.end?.outcome.rawValue ?? "running"
        due = run.occasion?.due?.rfc3339
        by = run.occasion?.by
        count = run.occasion?.count ?? 1
        until = run.occasion?.until?.rfc3339
        startedAt = run.startedAt.rfc3339
        finishedAt = run.end?.at.rfc3339
        code = run.end?.code
        problem = run.end?.problem
        command = run.command
    }
}

/// A type with a schedule, of what is live.
struct ScheduleJSON: Encodable, Sendable {
    let type, command, schedule, timezone: String
    let overlap: Manifest.ProcessType.RunOverlap
    let timeout: String
    let release: Int
    let next, nextLocal: String?
    let running: [String]
    let last: CronRunJSON?
}

extension Actions {
    /// Nothing while the target is suspended.
    func schedules(_ target: Target) async throws -> [ScheduleJSON] {
        guard let (release, processes) = try await scheduled(target), !processes.isEmpty else { return [] }
        let running = try await store.runs().filter { $0.target == target && $0.occasion != nil }
        var all: [ScheduleJSON] = []
        for process in processes {
            let next = process.schedule.next(after: .now, in: process.zone)
            let runs = try await store.cronRuns(target, type: process.type, limit: Store.mostAtOnce + 1)
            all.append(
                ScheduleJSON(
                    type: process.type, command: process.command, schedule: "\(process.schedule)",
                    timezone: "\(process.zone)", overlap: process.overlap, timeout: "\(process.timeout)",
                    release: release, next: next?.rfc3339, nextLocal: next?.rfc3339(in: process.zone),
                    running: running.filter { $0.occasion?.type == process.type }.map(\.name),
                    last: runs.first { $0.end != nil }.map(CronRunJSON.init)))
        }
        return all
    }
}
