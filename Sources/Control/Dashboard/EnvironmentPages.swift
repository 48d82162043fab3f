// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import Wire

/// The environments of a service, and what operators set of each.
struct EnvironmentPages: Sendable {
    let dashboard: Dashboard

    private var actions: Actions { dashboard.actions }

    func add(to router: NotedRouter) {
        dashboard.get(router, "/services/:name", .viewer) { try await list($0) }
        dashboard.post(
            router, "/services/:name", .like("POST", "/services/{name}/environments")
        ) { visit in
            let target = Target(
                service: try visit.service(),
                environment: try EnvironmentName(visit.form["environment"] ?? ""))
            let branch = visit.form["branch"].flatMap { $0.isEmpty ? nil : $0 }
            visit.context.note.about(target)
            visit.sayEnvironment()
            _ = try await actions.addEnvironment(
                target, branch: branch, autoDeploy: visit.isChecked("auto"),
                protect: visit.isChecked("protect"))
            return dashboard.redirect(ReleaseView.path(target))
        }
        // Not below the service, where names of environments are.
        dashboard.post(router, "/remove-service/:name", .like("DELETE", "/services/{name}")) { visit in
            let service = try visit.service()
            try visit.confirm("\(service)")
            try await actions.removeService(service)
            return dashboard.redirect("/")
        }
        dashboard.get(router, "/services/:name/:environment/settings", .viewer) { try await settings($0) }
        dashboard.post(
            router, "/services/:name/:environment/settings",
            .like("PATCH", "/services/{name}/environments/{environment}")
        ) { visit in
            let target = try visit.target()
            let branch = visit.form["branch"].map { $0.isEmpty ? "\(target.environment)" : $0 }
            visit.sayEnvironment()
            _ = try await actions.changeEnvironment(
                target, branch: branch, autoDeploy: visit.isChecked("auto"),
                protect: visit.isChecked("protect"))
            return try back(visit)
        }
        dashboard.post(
            router, "/services/:name/:environment/remove",
            .like("DELETE", "/services/{name}/environments/{environment}")
        ) { visit in
            let target = try visit.target()
            try visit.confirm("\(target)")
            try await actions.removeEnvironment(target)
            return dashboard.redirect(PlaceView.path(target.service))
        }
        addTraffic(to: router)
    }

    private func addTraffic(to router: NotedRouter) {
        func act(
            _ name: String, like operation: String? = nil,
            _ work: @escaping @Sendable (Dashboard.Visit, Target) async throws -> Release?
        ) {
            dashboard.post(
                router, "/services/:name/:environment/\(RouterPath(name))",
                .like("POST", "/services/{name}/\(operation ?? name)")
            ) { visit in
                let release = try await work(visit, try visit.target())
                if let release { visit.context.note.say(release) }
                return try release.map { dashboard.redirect(ReleaseView(release: $0).path) } ?? back(visit)
            }
        }
        act("scale") { visit, target in
            let text = visit.form["instances"] ?? ""
            guard let number = text.isEmpty ? 0 : Int(text) else {
                throw Failure(code: "invalid-request", "the number of instances must be from 0 to 100")
            }
            let type = visit.form["type"] ?? "web"
            // None of `web` would serve nobody: there it is what kinto.json says.
            let wanted = text.isEmpty || type == "web" && number == 0 ? nil : number
            _ = try await actions.scale(target, to: [type: wanted])
            return nil
        }
        act("pause") { _, target in
            try await actions.pause(target)
            return nil
        }
        act("unpause", like: "resume") { _, target in
            try await actions.require(target)
            try await actions.setPaused(target, false)
            return nil
        }
        act("maintenance") { visit, target in
            visit.context.note.say(visit.form["on"] == "1" ? "on on" : "on off")
            // What was given by a command stays, if it is closed already.
            let known = try await actions.store.environment(target)?.maintenance
            try await actions.close(
                target, visit.form["on"] == "1" ? known ?? Maintenance(retryAfter: 60, allow: []) : nil)
            return nil
        }
        act("suspend") { _, target in
            try await actions.suspend(target)
            return nil
        }
        act("resume") { visit, target in try await actions.resume(target, by: visit.by) }
    }

    private func back(_ visit: Dashboard.Visit) throws -> Response {
        dashboard.redirect("\(ReleaseView.path(try visit.target()))/settings")
    }

    private func list(_ visit: Dashboard.Visit) async throws -> Response {
        let service = try visit.service()
        try await actions.require(Target(service: service))
        let places = try await actions.overview(of: service)
        return try dashboard.page(
            "environments",
            [
                "title": "Environments of \(service)", "fresh": true, "name": "\(service)",
                "path": PlaceView.path(service), "places": places.map { OverviewView(place: $0).values },
                "several": places.count > 1,
            ], visit)
    }

    private func settings(_ visit: Dashboard.Visit) async throws -> Response {
        var (environment, view) = try await dashboard.place(visit, .settings)
        let target = environment.target
        let live = try await actions.store.live(target)
        view.merge([
            "title": "Settings of \(target)", "name": "\(target)", "branch": environment.branch,
            "auto": environment.autoDeploy, "protect": environment.isProtected,
            "types": EnvironmentPages.types(environment, live),
            "suspended": environment.suspended, "paused": environment.paused,
            "closed": environment.maintenance != nil, "hasLive": live != nil,
            "isOpen": !environment.suspended && !environment.paused && environment.maintenance == nil,
            "pattern": environment.pattern.words,
            "production": target.environment == .production, "service": "\(target.service)",
            "root": PlaceView.path(target.service),
        ]) { $1 }
        return try dashboard.page("settings", view, visit)
    }

    /// The process types of what is live, with how many of each run and are wanted.
    private static func types(_ environment: RegisteredEnvironment, _ live: Release?) -> [[String: Any]] {
        let groups = live?.manifest?.groups() ?? [ProcessGroup(name: "web", command: "", instances: 1)]
        return groups.map { group in
            [
                "type": group.name, "label": group.worker == nil ? "Instances" : "Instances of \(group.name)",
                "running": live?.instances.count { $0.type == group.name } ?? 0, "wanted": group.instances,
                "scale": environment.wanted[group.name].map { "\($0)" } ?? "",
                "isScaled": environment.wanted[group.name] != nil,
            ]
        }
    }
}

extension Dashboard.Visit {
    func service() throws -> ServiceName { try ServiceName(context.parameters.require("name")) }

    func isChecked(_ name: String) -> Bool { form[name] == "1" }

    /// A box that is not checked is not sent, and says something all the same.
    func sayEnvironment() {
        context.note.say("autoDeploy \(isChecked("auto") ? "on" : "off")")
        context.note.say("protect \(isChecked("protect") ? "on" : "off")")
    }

    /// What cannot be taken back wants the name typed.
    /// - Throws: `Failure` of code `not-confirmed`.
    func confirm(_ name: String) throws {
        guard form["confirm"].map({ $0.trimmed == name }) == true else {
            throw Failure(
                code: "not-confirmed", "what was typed is not '\(name)': nothing was done",
                hints: [.init("go back and type the name as it is written there")])
        }
    }
}

extension String {
    fileprivate var trimmed: Substring {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
