// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import Wire

/// Types with a schedule: what ran, what it printed, and one now.
struct CronPages: Sendable {
    let dashboard: Dashboard

    private var actions: Actions { dashboard.actions }
    /// On one page.
    private static let runs = 100

    func add(to router: NotedRouter) {
        let place: String = "/services/:name/:environment/cron"
        dashboard.get(router, RouterPath(place), .viewer) { try await history($0) }
        dashboard.get(router, RouterPath(place + "/:run"), .viewer) { visit in
            let target = try visit.target()
            guard let id = Int64(try visit.context.parameters.require("run")),
                let run = try await actions.store.cronRun(target, id)
            else { throw Failure(code: "unknown-run", "there is no such run of \(target)") }
            return .following(
                LogFollower(
                    path: actions.home.consoleLog(target, run.release, instance: run.name), watch: nil,
                    text: LogText(times: true, isTerminal: false)))
        }
        dashboard.post(router, RouterPath(place), .like("POST", "/services/{name}/cron/run")) { visit in
            let target = try visit.target()
            let run = try await actions.runScheduled(target, visit.form["type"] ?? "", by: visit.by)
            visit.context.note.say(run.name)
            return dashboard.redirect(CronView.path(target))
        }
    }

    private func history(_ visit: Dashboard.Visit) async throws -> Response {
        var (environment, view) = try await dashboard.place(visit, nil)
        let target = environment.target
        let runs = try await actions.store.cronRuns(target, type: nil, limit: CronPages.runs)
        view.merge(CronView.values(try await actions.schedules(target), target)) { $1 }
        view.merge([
            "title": "Schedules of \(target)", "fresh": true, "name": "\(target.service)",
            "suspended": environment.suspended, "hasRuns": !runs.isEmpty,
            "runs": runs.map { CronView.values($0, target) },
        ]) { $1 }
        return try dashboard.page("cron", view, visit)
    }
}

/// Schedules and their runs in the words and paths of the pages.
enum CronView {
    static func path(_ target: Target) -> String { "\(ReleaseView.path(target))/cron" }

    static func values(_ schedules: [ScheduleJSON], _ target: Target) -> [String: Any] {
        [
            "cron": path(target), "hasSchedules": !schedules.isEmpty,
            "schedules": schedules.map { schedule -> [String: Any] in
                let last = schedule.last
                let isBad = last.flatMap { Run.Outcome(rawValue: $0.state) }?.isTrouble ?? false
                return [
                    "type": schedule.type, "schedule": schedule.schedule, "zone": schedule.timezone,
                    "next": schedule.next.map(shown) ?? "–",
                    "there": schedule.timezone == "UTC"
                        ? false as Any : schedule.nextLocal.map(shown) ?? false as Any,
                    "running": schedule.running.isEmpty
                        ? false as Any : schedule.running.joined(separator: ", "),
                    "last": last.map {
                        [
                            "state": $0.state, "tone": isBad ? "bad" : "ok",
                            "at": shown($0.due ?? $0.startedAt),
                        ]
                    }
                        ?? false as Any,
                ]
            },
        ]
    }

    static func values(_ run: Run, _ target: Target) -> [String: Any] {
        let isAbsence = run.end?.outcome.isAbsence ?? false
        let tone =
            switch run.end?.outcome {
            case nil: "busy"
            case .succeeded: "ok"
            case let outcome?: outcome.isTrouble ? "bad" : ""
            }
        var result = run.end?.words ?? "runs"
        if isAbsence, let count = run.occasion?.count, count > 1, let until = run.occasion?.until {
            result = "\(run.end?.outcome.rawValue ?? "") \(count) times, until \(shown(until.rfc3339))"
        }
        let took = run.end.map { Double($0.at.milliseconds &- run.startedAt.milliseconds) }
        return [
            "name": isAbsence ? run.occasion?.type ?? "" : run.name,
            "log": isAbsence ? false as Any : "\(path(target))/\(run.id)",
            "release": run.release, "releasePath": "\(ReleaseView.path(target))/releases/\(run.release)",
            "due": run.occasion?.due.map { shown($0.rfc3339) } ?? "now",
            "by": run.occasion?.by ?? false as Any, "tone": tone, "result": result,
            "took": isAbsence ? false as Any : took.map { Moment.length(max(0, $0)) } ?? false as Any,
        ]
    }

    /// `2026-11-23 03:00`
    private static func shown(_ time: String) -> String {
        String(time.prefix(16)).replacing("T", with: " ")
    }
}
