// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore

/// The list of services, a service with its releases, and what makes new ones.
struct ServicePages: Sendable {
    let dashboard: Dashboard

    private var actions: Actions { dashboard.actions }

    func add(to router: NotedRouter) {
        dashboard.get(router, "/") { try await list($0) }
        dashboard.get(router, "/services/:name/:environment") { try await service($0) }
        dashboard.post(router, "/services/:name/:environment/deploy") { visit in
            let force = visit.form["force"] == "1"
            switch try await actions.deploy(visit.target(), DeployWish(force: force)) {
            case .release(let release, _): return dashboard.redirect(ReleaseView(release: release).path)
            case .live(let release):
                return dashboard.redirect(ReleaseView(release: release).path + "?deployed=already")
            case .duplicate: return dashboard.redirect(ReleaseView.path(try visit.target()))
            }
        }
        dashboard.get(router, "/services/:name/:environment/rollback") { try await askRollback($0) }
        dashboard.post(router, "/services/:name/:environment/rollback") { visit in
            let number = visit.form["number"].flatMap { Int($0) }
            let (release, _) = try await actions.rollback(
                visit.target(), to: number, currentConfig: visit.form["current"] == "1")
            return dashboard.redirect(ReleaseView(release: release).path)
        }
    }

    private func list(_ visit: Dashboard.Visit) async throws -> Response {
        var services: [[String: Any]] = []
        for service in try await actions.status(version: dashboard.version, only: nil).services {
            let target = Target(
                service: try ServiceName(service.name),
                environment: try EnvironmentName(service.environment))
            var view = state(service)
            view["live"] = service.live.map { ReleaseView(release: $0.release).values } ?? false as Any
            view["last"] =
                try await actions.store.releases(target, limit: 1).first
                .map { ReleaseView(release: $0).values } ?? false as Any
            services.append(view)
        }
        return try dashboard.page(
            "services",
            ["title": "Services", "live": true, "hasServices": !services.isEmpty, "services": services],
            visit)
    }

    private func state(_ service: Actions.StatusJSON.Service) -> [String: Any] {
        let open = service.releases.first?.release
        let (state, tone) =
            switch true {
            case open?.status == .deploying: ("Deploying", "busy")
            case open != nil: ("Queued", "busy")
            case service.suspended: ("Suspended", "")
            case service.paused: ("Paused", "busy")
            case service.maintenance: ("Maintenance", "busy")
            case service.live != nil: ("Live", "ok")
            default: ("Not deployed", "")
            }
        return [
            "name": service.name, "environment": service.environment,
            "path": "/services/\(service.name)/\(service.environment)",
            "state": state, "tone": tone, "url": service.url ?? false as Any, "branch": service.branch,
            "repository": service.repository, "waits": service.waits.map(\.on),
            "hasWaits": !service.waits.isEmpty, "stopped": service.deploysStopped ?? false as Any,
        ]
    }

    private func service(_ visit: Dashboard.Visit) async throws -> Response {
        let target = try visit.target()
        try await actions.require(target)
        let status = try await actions.status(version: dashboard.version, only: target.service.description)
        guard let known = status.services.first(where: { $0.environment == target.environment.description })
        else { throw Failure(code: "unknown-service", "there is no service '\(target)'") }
        let releases = try await actions.store.releases(target, limit: 50).map {
            ReleaseView(release: $0).values
        }
        var view = state(known)
        view.merge([
            "title": "\(target.service)", "live": true, "hasReleases": !releases.isEmpty,
            "releases": releases,
        ]) { $1 }
        return try dashboard.page("service", view, visit)
    }

    private func askRollback(_ visit: Dashboard.Visit) async throws -> Response {
        let target = try visit.target()
        let number = visit.request.uri.queryParameters["to"].flatMap { Int($0) }
        let plan = try await actions.rollbackPlan(target, to: number, currentConfig: false)
        var view = ReleaseView(release: plan.chosen).values
        view.merge([
            "title": "Roll back \(target.service)", "name": "\(target.service)",
            "path": ReleaseView.path(target),
            "live": plan.live.map { ReleaseView(release: $0).values } ?? false as Any,
            "hasDifference": !plan.difference.isEmpty, "difference": plan.difference,
        ]) { $1 }
        return try dashboard.page("rollback", view, visit)
    }
}
