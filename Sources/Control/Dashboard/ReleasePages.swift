// SPDX-License-Identifier: Apache-2.0
internal import HTTPTypes
internal import Hummingbird
internal import KintoCore
internal import Runner
internal import Wire

/// A release with its state and its two logs.
struct ReleasePages: Sendable {
    let dashboard: Dashboard

    private var actions: Actions { dashboard.actions }

    func add(to router: NotedRouter) {
        dashboard.get(router, "/services/:name/:environment/releases/:number", .viewer) { try await show($0) }
        dashboard.post(
            router, "/services/:name/:environment/releases/:number/abort",
            .like("POST", "/services/{name}/abort")
        ) { visit in
            let release = try await release(visit)
            visit.context.note.say(release)
            _ = try await actions.lanes.abort(release.target, release.number)
            return dashboard.redirect(ReleaseView(release: release).path)
        }
        dashboard.get(router, "/services/:name/:environment/releases/:number/:log", .viewer) { visit in
            let log = try log(await release(visit), of: visit)
            let of = log.kind == .console ? log.process.map { "-\($0)" } ?? "" : ""
            var response = Response.following(
                LogFollower(path: log.path, watch: nil, text: LogText(times: true, isTerminal: false)))
            let name = "\(try visit.target().service)-\(try visit.number())-\(log.kind.rawValue)\(of).txt"
            response.headers[.contentDisposition] = "attachment; filename=\"\(name)\""
            return response
        }
        dashboard.get(router, "/services/:name/:environment/releases/:number/:log/stream", .viewer) { visit in
            try stream(await release(visit), visit)
        }
        dashboard.get(router, "/services/:name/:environment/releases/:number/:log/first-error", .viewer) {
            visit in
            let log = try log(await release(visit), of: visit)
            let (path, index) = (log.path, log.index)
            let line = try await Blocking.run { DashboardLines.firstBad(path, index) }
            return dashboard.redirect(
                line.map { log.link($0, at: $0) } ?? log.address(seen: "no-error"))
        }
    }

    private func stream(_ release: Release, _ visit: Dashboard.Visit) throws -> Response {
        let log = try log(release, of: visit)
        let asked =
            HTTPField.Name("Last-Event-ID").flatMap { visit.request.headers[$0] }
            ?? visit.asked["after"]
        // One that is missing for good has no end that could be waited for.
        let isFollowed = !release.status.isFinal || Files.exists(log.path)
        return DashboardStream.lines(
            of: LogFollower(
                path: log.path, watch: isFollowed ? actions.logs : nil, text: DashboardLines.text),
            after: asked.flatMap(Dashboard.Visit.number) ?? 0, log.index, visit.context)
    }

    private func release(_ visit: Dashboard.Visit) async throws -> Release {
        let (target, number) = try (visit.target(), visit.number())
        guard let release = try await actions.store.release(target, number) else {
            throw Failure(code: "unknown-release", "there is no release \(number) of \(target)")
        }
        return release
    }

    private func log(_ release: Release, of visit: Dashboard.Visit) throws -> LogView {
        guard let kind = LogView.Kind(rawValue: try visit.context.parameters.require("log")) else {
            throw Failure(code: "unknown-path", "a release has a log and a console")
        }
        return try log(release, kind, visit)
    }

    private func log(_ release: Release, _ kind: LogView.Kind, _ visit: Dashboard.Visit) throws -> LogView {
        let (target, number) = (release.target, release.number)
        let asked = visit.asked["process"]
        let instance = try release.instance(asked: asked)
        return LogView(
            kind: kind,
            path: kind == .log
                ? actions.home.releaseLog(target, number)
                : actions.home.consoleLog(target, number, instance: instance),
            place: ReleaseView(release: release).path, process: asked == nil ? nil : instance,
            index: actions.logs.index)
    }

    /// Whose console can be read; none when there is one only.
    private func consoles(_ release: Release, _ visit: Dashboard.Visit) async throws -> [[String: Any]] {
        let (home, shown) = (actions.home, try release.instance(asked: visit.asked["process"]))
        let names = try await Blocking.run { release.consoles(in: home) }
        guard names.count > 1 || names.first.map({ $0 != shown }) == true else { return [] }
        let path = ReleaseView(release: release).path
        return names.map {
            ["name": $0, "path": "\(path)?process=\($0)#console", "current": $0 == shown]
        }
    }

    private func show(_ visit: Dashboard.Visit) async throws -> Response {
        let release = try await release(visit)
        let target = release.target
        let asked = visit.asked
        var (_, view) = try await dashboard.place(visit, nil)
        view.merge(ReleaseView(release: release).values) { $1 }
        view.merge([
            "title": "\(target.service) \(release.number)", "fresh": true,
            "name": "\(target.service)", "environment": "\(target.environment)",
            "alreadyLive": release.live && asked["deployed"] == "already",
            "noError": asked["seen"] == "no-error",
            "service": ReleaseView.path(target),
            "stages": ReleaseView(release: release).stages(
                usual: try await actions.store.stageTimes(target, before: release.number).usual()),
            "failure": release.failure.map { FailureView($0, target, visit.principal.role).values } ?? false
                as Any,
            "hasWarnings": !release.warnings.isEmpty,
            "warnings": release.warnings.map { FailureView($0, target, visit.principal.role).values },
            "instances": release.instances.map {
                ["name": $0.name, "port": $0.port.map { "port \($0)" } ?? "no port"]
            },
        ]) { $1 }
        let consoles = try await consoles(release, visit)
        (view["consoles"], view["hasConsoles"]) = (consoles, !consoles.isEmpty)
        var logs: [[String: Any]] = []
        // The page's own script asks for what changes; of the logs it has the stream.
        for kind in visit.isRefresh ? [] : LogView.Kind.allCases {
            let line = visit.number(kind.rawValue)
            let wanted = asked["in"] == kind.rawValue ? asked["find"] : nil
            logs.append(try await log(release, kind, visit).values(at: line, wanted: wanted))
        }
        view["logs"] = logs
        return try dashboard.page("release", view, visit)
    }
}
