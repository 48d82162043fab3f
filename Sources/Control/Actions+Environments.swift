// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

/// An environment's settings, as they are given and shown.
struct EnvironmentJSON: Encodable {
    let service, environment, branch: String
    let autoDeploy, protect: Bool
    /// Where it is reached; nil: what is live takes no requests.
    let url: String?
    let live: Int?
    /// When it goes, if it is a branch's preview.
    let previewUntil: String?

    init(_ environment: RegisteredEnvironment, url: String?, live: Int?) {
        service = environment.target.service.description
        self.environment = environment.target.environment.description
        branch = environment.branch
        autoDeploy = environment.autoDeploy
        protect = environment.isProtected
        previewUntil = environment.previewUntil?.rfc3339
        self.url = url
        self.live = live
    }
}

extension Actions {
    /// - Parameter branch: nil: the branch of the environment's name.
    /// - Throws: `Failure` of code `unknown-service`, `environment-exists`, `invalid-pattern`.
    func addEnvironment(_ target: Target, branch: String?, autoDeploy: Bool, protect: Bool) async throws
        -> EnvironmentJSON
    {
        let pattern = try RefPattern(branch ?? target.environment.description)
        let environment = RegisteredEnvironment(
            target: target, branch: pattern.description, autoDeploy: autoDeploy, isProtected: protect)
        try await requireFreeName(target)
        try await store.add(environment)
        try await makeKnown(target) { _ = try await store.remove(target) }
        return try await shown(environment)
    }

    /// A target's own host name is nobody else's: a service may be called as an environment of another one is reached.
    /// - Throws: `Failure` of code `host-taken`.
    func requireFreeName(_ target: Target) async throws {
        // Of one that is there, its second registration is refused for that.
        guard try await store.environment(target) == nil else { return }
        do { try await routes.check([target.ownHost], nil, of: target) } catch {
            throw Actions.isNamedLikeAnother(error)
        }
    }

    /// Gives a new target its place at the proxy.
    /// - Parameter undo: takes back what was registered, when another one of that name came between.
    func makeKnown(_ target: Target, undo: () async throws -> Void) async throws {
        do {
            try await routes.set(
                RoutingTable.Route(identifier: target.description, hosts: [target.ownHost]))
        } catch let failure as Failure where failure.code == "host-taken" {
            try await undo()
            throw Actions.isNamedLikeAnother(failure)
        }
    }

    private static func isNamedLikeAnother(_ failure: Failure) -> Failure {
        var failure = failure
        failure.hints = [
            .init("choose another name: environment E of service S has the host name that a service S--E has")
        ]
        return failure
    }

    /// Changes settings of an environment; nil: stays as it is.
    func changeEnvironment(_ target: Target, branch: String?, autoDeploy: Bool?, protect: Bool?) async throws
        -> EnvironmentJSON
    {
        try await require(target)
        // A form has it also where it stays as it is.
        let known = try await store.environment(target)?.branch
        let branch = branch == known ? nil : branch
        // What runs there would get the secrets that another branch's may have.
        if branch != nil { try await refuseStranger(target, "it follows that pull request and nothing else") }
        let pattern = try branch.map { text throws(Failure) in try RefPattern(text) }
        return try await shown(
            store.update(target) { environment in
                if let pattern { environment.branch = pattern.description }
                if let autoDeploy { environment.autoDeploy = autoDeploy }
                if let protect { environment.isProtected = protect }
            })
    }

    func environments(of service: ServiceName) async throws -> [EnvironmentJSON] {
        try await require(Target(service: service))
        var all: [EnvironmentJSON] = []
        for environment in try await store.environments(of: service) {
            all.append(try await shown(environment))
        }
        return all
    }

    func environment(_ target: Target) async throws -> EnvironmentJSON {
        try await require(target)
        guard let environment = try await store.environment(target) else {
            throw Failure(code: "unknown-service", "there is no environment '\(target)'")
        }
        return try await shown(environment)
    }

    private func shown(_ environment: RegisteredEnvironment) async throws -> EnvironmentJSON {
        let live = try await store.live(environment.target)
        return EnvironmentJSON(
            environment, url: deployment.url(environment.target, live?.manifest ?? Manifest(start: "-")),
            live: live?.number)
    }

    /// Stops and forgets an environment, with its releases and its configuration.
    /// - Throws: `Failure` of code `production-stays`, `unknown-service`.
    func removeEnvironment(_ target: Target) async throws {
        try await require(target)
        guard target.environment != .production else {
            throw Failure(
                code: "production-stays", "production goes with its service only",
                hints: [.init("remove the service", command: "kinto service remove \(target.service) --yes")])
        }
        let service = try await store.service(target.service)
        try await remove {
            try await end(target)
            return try await store.end(target)
        }
        guard let service else { return }
        let path = service.source == .remote ? home.repository(service.name) : service.repository
        // A commit that nothing else names may be collected then.
        try? await git.run {
            let repository = try GitRepository(opening: path)
            for name in try repository.pins().keys where name.hasPrefix("\(target.environment)/") {
                try repository.unpin(name)
            }
        }
    }

    /// Nothing of it runs, waits or is routed to afterwards.
    func end(_ target: Target) async throws {
        // No schedule begins anything from here on.
        try await store.update(target) { $0.suspended = true }
        try await lanes.clear(target)
        try await keeper.forget(target)
        try await stopRuns(target)
        try await rollout.gate.with(target) {
            guard let live = try await store.live(target) else { return }
            // Not a second time: its place may be another's by then.
            if RolloutPlan.Previous(live) != nil { try await setAside(live) }
            try await stop(live, step: "stopped for good")
        }
        try await routes.remove(target.description)
    }
}
