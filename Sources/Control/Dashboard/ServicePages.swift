// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import Rollout
internal import Runner

/// The list of services, and an environment of one with its releases.
struct ServicePages: Sendable {
    let dashboard: Dashboard

    private var actions: Actions { dashboard.actions }
    /// Releases on one page.
    private static let releases = 30

    func add(to router: NotedRouter) {
        dashboard.get(router, "/", .viewer) { try await list($0) }
        dashboard.get(router, "/services/:name/:environment", .viewer) { try await service($0) }
    }

    private func list(_ visit: Dashboard.Visit) async throws -> Response {
        let places = try await actions.overview()
        let services = places.map { OverviewView(place: $0).values }
        return try dashboard.page(
            "services",
            [
                "title": "Services", "fresh": true, "hasServices": !services.isEmpty, "services": services,
                "server": FactsView.server(await actions.retention.sizes, places.flatMap(\.open)),
            ], visit)
    }

    private func service(_ visit: Dashboard.Visit) async throws -> Response {
        var (environment, view) = try await dashboard.place(visit, .overview)
        let target = environment.target
        guard let service = try await actions.store.service(target.service),
            let known = try await actions.overview(of: target.service).first(where: {
                $0.environment.target == target
            })
        else { throw Failure(code: "unknown-service", "there is no service '\(target)'") }
        let before = visit.number("before")
        // One more than is shown tells whether there are others.
        var releases = try await actions.store.releases(
            target, before: before ?? .max, limit: ServicePages.releases + 1)
        let hasOlder = releases.count > ServicePages.releases
        if hasOlder { releases.removeLast() }
        view.merge(OverviewView(place: known).values) { $1 }
        let waits = known.waits + (await actions.rests(environment, known.live))
        let path = ReleaseView.path(target)
        let running = known.live?.instances ?? []
        let instances = try await Blocking.run { FactsView.instances(running) }.map(\.values)
        view["instances"] = instances
        view["hasInstances"] = !instances.isEmpty
        view["isSite"] = known.isSite
        view.merge(CronView.values(try await actions.schedules(target), target)) { $1 }
        let traffic = TrafficPages.table(await actions.traffic.samples(target))
        view.merge([
            "traffic": "\(path)/traffic", "minutes": traffic, "hasTraffic": !traffic.isEmpty,
            "isExternal": actions.routes.isExternal,
            "title": target.environment == .production ? "\(target.service)" : "\(target)", "fresh": true,
            "repository": Actions.shownRepository(service), "suspended": environment.suspended,
            "paused": environment.paused, "closed": environment.maintenance != nil,
            "waits": waits.map(\.on), "hasWaits": !waits.isEmpty,
            "canRollBack": releases.contains { $0.isProven && !$0.live },
            "canPromote": known.live != nil
                && (view["place"] as? [String: Any]).map(Self.isOneOfMany) == true,
            "hasReleases": !releases.isEmpty, "releases": releases.map { ReleaseView(release: $0).values },
            "older": hasOlder ? "\(path)?before=\(releases.last?.number ?? 0)#releases" : false as Any,
            "newest": before == nil ? false as Any : path,
        ]) { $1 }
        return try dashboard.page("service", view, visit)
    }

    private static func isOneOfMany(_ place: [String: Any]) -> Bool {
        (place["environments"] as? [Any]).map { $0.count > 1 } ?? false
    }
}
