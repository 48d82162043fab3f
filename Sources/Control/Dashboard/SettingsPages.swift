// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore

/// Configuration, new services, deliveries.
struct SettingsPages: Sendable {
    let dashboard: Dashboard

    private var actions: Actions { dashboard.actions }

    func add(to router: NotedRouter) {
        dashboard.get(router, "/services/:name/:environment/config", .viewer) { try await config($0) }
        dashboard.post(
            router, "/services/:name/:environment/config", .like("PATCH", "/services/{name}/config")
        ) { visit in
            let target = try visit.target()
            let form = visit.form
            let release: Release?
            if let name = form["unset"] {
                release = try await actions.configure(target, set: [:], unset: [name], by: visit.by)
            } else {
                release = try await actions.configure(
                    target, set: [form["variable"] ?? "": form["value"] ?? ""],
                    secret: form["secret"] == "1", unset: [], by: visit.by)
            }
            if let release { visit.context.note.say(release) }
            return dashboard.redirect(
                release.map { ReleaseView(release: $0).path } ?? "\(ReleaseView.path(target))/config")
        }
        dashboard.get(router, "/new-service", .admin) {
            try dashboard.page("new-service", ["title": "New service"], $0)
        }
        dashboard.post(router, "/new-service", .like("POST", "/services")) { try await create($0) }
        dashboard.get(router, "/deliveries", .viewer) { try await deliveries($0) }
        dashboard.post(
            router, "/deliveries/replay", .like("POST", "/services/{name}/deliveries/replay")
        ) { try await replay($0) }
    }

    private func config(_ visit: Dashboard.Visit) async throws -> Response {
        let (environment, place) = try await dashboard.place(visit, .configuration)
        let target = environment.target
        let variables = try await actions.store.variables(target).map { variable -> [String: Any] in
            [
                "variable": variable.name, "secret": variable.isSecret,
                "value": variable.isSecret ? "" : variable.value,
            ]
        }
        return try dashboard.page(
            "config",
            place.merging([
                "title": "Configuration of \(target.service)", "hasVariables": !variables.isEmpty,
                "variables": variables,
                "asked": visit.asked["name"] ?? "",
            ]) { $1 }, visit)
    }

    private func create(_ visit: Dashboard.Visit) async throws -> Response {
        if let name = try? ServiceName(visit.form["name"] ?? "") { visit.context.note.about(name) }
        func field(_ name: String) -> String? { visit.form[name].flatMap { $0.isEmpty ? nil : $0 } }
        let added = try await actions.addService(
            field("name") ?? "", repository: field("repository"), branch: field("branch"), settings: nil,
            provider: nil, queue: .wait)
        return try dashboard.page(
            "created",
            [
                "title": "New service", "name": added.name, "remote": added.remote ?? false as Any,
                "deployKey": added.deployKey ?? false as Any, "webhook": added.webhook.url,
                "secret": added.webhook.secret,
                "path": ReleaseView.path(Target(service: try ServiceName(added.name))),
            ], visit, status: .created)
    }

    private func replay(_ visit: Dashboard.Visit) async throws -> Response {
        let name = try ServiceName(visit.form["service"] ?? "")
        visit.context.note.about(name)
        let answers = try await actions.webhooks.replay(
            visit.form["delivery"] ?? "", of: name, by: visit.by
        ).map(\.answer)
        for case .queued(let release, _, _) in answers {
            visit.context.note.say("release \(release.number) of \(release.target)")
            return dashboard.redirect(ReleaseView(release: release).path)
        }
        // What became of it is recorded as a delivery of its own.
        return dashboard.redirect("/deliveries?replayed=1")
    }

    private func deliveries(_ visit: Dashboard.Visit) async throws -> Response {
        let all = try await actions.store.deliveries(nil, limit: 100).map { delivery -> [String: Any] in
            Moment(delivery.at).values.merging([
                "service": delivery.service, "event": delivery.event, "reference": delivery.reference,
                "provider": delivery.provider.rawValue, "verdict": delivery.verdict,
                "identifier": delivery.identifier, "replayable": !delivery.changes.isEmpty,
                "path": "/services/\(delivery.service)", "answer": delivery.status,
                "tone": delivery.status >= 400 ? "bad" : delivery.status == 202 ? "ok" : "",
            ]) { $1 }
        }
        return try dashboard.page(
            "deliveries",
            [
                "title": "Deliveries", "fresh": true, "hasDeliveries": !all.isEmpty, "deliveries": all,
                "replayed": visit.asked["replayed"] == "1",
            ], visit)
    }
}
