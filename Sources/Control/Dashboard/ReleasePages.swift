// SPDX-License-Identifier: Apache-2.0
internal import HTTPTypes
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Runner
internal import Wire

/// A release with its state and its two logs.
struct ReleasePages: Sendable {
    let dashboard: Dashboard

    private var actions: Actions { dashboard.actions }
    /// Lines that a page has from the start.
    private static let lines = 2000

    func add(to router: NotedRouter) {
        dashboard.get(router, "/services/:name/:environment/releases/:number") { try await show($0) }
        dashboard.post(router, "/services/:name/:environment/releases/:number/abort") { visit in
            let release = try await release(visit)
            _ = try await actions.lanes.abort(release.target, release.number)
            return dashboard.redirect(ReleaseView(release: release).path)
        }
        dashboard.get(router, "/services/:name/:environment/releases/:number/:log") { visit in
            let release = try await release(visit)
            let kind = try visit.context.parameters.require("log")
            let path = try path(release, kind)
            var response = Response.following(
                LogFollower(path: path, watch: nil, text: LogText(times: true, isTerminal: false)))
            response.headers[.contentDisposition] =
                "attachment; filename=\"\(release.target.service)-\(release.number)-\(kind).txt\""
            return response
        }
        dashboard.get(router, "/services/:name/:environment/releases/:number/:log/stream") { visit in
            let release = try await release(visit)
            let path = try path(release, try visit.context.parameters.require("log"))
            let asked =
                HTTPField.Name("Last-Event-ID").flatMap { visit.request.headers[$0] }
                ?? visit.request.uri.queryParameters["after"].map(String.init)
            // One that is missing for good has no end that could be waited for.
            return DashboardStream.lines(
                of: LogFollower(
                    path: path, watch: !release.status.isFinal || Files.exists(path) ? actions.logs : nil,
                    text: DashboardLines.text),
                after: asked.flatMap { Int($0) } ?? 0, visit.context)
        }
    }

    private func release(_ visit: Dashboard.Visit) async throws -> Release {
        let (target, number) = try (visit.target(), visit.number())
        guard let release = try await actions.store.release(target, number) else {
            throw Failure(code: "unknown-release", "there is no release \(number) of \(target)")
        }
        return release
    }

    private func path(_ release: Release, _ kind: String) throws -> String {
        switch kind {
        case "log": actions.home.releaseLog(release.target, release.number)
        case "console":
            actions.home.consoleLog(release.target, release.number, instance: release.mainInstance)
        default: throw Failure(code: "unknown-path", "a release has a log and a console")
        }
    }

    private func show(_ visit: Dashboard.Visit) async throws -> Response {
        let release = try await release(visit)
        let target = release.target
        var view = ReleaseView(release: release).values
        view.merge([
            "title": "\(target.service) \(release.number)", "live": true,
            "name": "\(target.service)", "environment": "\(target.environment)",
            "alreadyLive": release.live && visit.request.uri.queryParameters["deployed"] == "already",
            "service": ReleaseView.path(target), "stages": ReleaseView(release: release).stages,
            "failure": release.failure.map { FailureView($0, target).values } ?? false as Any,
            "instances": release.instances.map {
                ["name": $0.name, "port": $0.port.map { "port \($0)" } ?? "no port"]
            },
        ]) { $1 }
        var logs: [[String: Any]] = []
        for (kind, heading) in [("log", "Release log"), ("console", "Console log")] {
            logs.append(try await log(release, kind, heading))
        }
        view["logs"] = logs
        return try dashboard.page("release", view, visit)
    }

    private func log(_ release: Release, _ kind: String, _ heading: String) async throws -> [String: Any] {
        let place = ReleaseView(release: release).path
        let follower = LogFollower(path: try path(release, kind), watch: nil, text: DashboardLines.text)
        var reader = DashboardLines(follower.path)
        var kept: [DashboardLine] = []
        try await follower.read { chunk in
            kept += reader.next(chunk)
            if kept.count > 2 * ReleasePages.lines { kept.removeFirst(kept.count - ReleasePages.lines) }
        }
        if kept.count > ReleasePages.lines { kept.removeFirst(kept.count - ReleasePages.lines) }
        let after = kept.last?.number ?? 0
        let earlier = (kept.first?.number ?? 1) - 1
        return [
            "kind": kind, "heading": heading, "stream": "\(place)/\(kind)/stream?", "after": after,
            "download": "\(place)/\(kind)", "earlier": earlier > 0 ? earlier : false as Any,
            "lines": kept.map { line -> [String: Any] in
                [
                    "id": line.number, "time": line.time, "bad": line.isBad,
                    "parts": line.parts.map { ["style": $0.style, "text": $0.text] },
                ]
            },
        ]
    }
}
