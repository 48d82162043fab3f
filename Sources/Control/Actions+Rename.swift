// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

extension Actions {
    struct Renamed: Encodable {
        let name, former, repository: String
        /// For those who push; nil: it is fetched from.
        let remote: String?
        let webhook: String
        let urls: [String]
    }

    /// Gives a service another name while it serves: its processes are not touched.
    /// - Throws: `Failure` of code `unknown-service`, `service-exists`, `invalid-name`, `deploy-running`, `release-watched`,
    ///   `name-in-use`, `name-taken`.
    func renameService(_ old: ServiceName, to text: String) async throws -> Renamed {
        let new = try ServiceName(text)
        guard let service = try await store.service(old) else {
            throw Failure(code: "unknown-service", "there is no service '\(old)'")
        }
        if try await store.service(new) != nil {
            throw Failure(code: "service-exists", "there is a service '\(new)' already")
        }
        let targets = try await store.environments(of: old).map(\.target)
        for target in targets {
            guard let live = try await store.live(target), let watch = live.watch, watch.until > .now else {
                continue
            }
            throw Failure(
                code: "release-watched",
                "release \(live.number) of \(target) is watched until \(watch.until.rfc3339), and would not be undone under another name",
                hints: [.init("rename it after that")])
        }
        try await free(new, for: old)
        for target in targets {
            try await requireFreeName(Target(service: new, environment: target.environment))
        }
        if let path = RenamedFiles.obstacle(home, new) {
            throw Failure(
                code: "name-taken", "\(path) is there already, and no service has it",
                hints: [.init("look at it, and move it away")])
        }
        for target in targets { try await keeper.forget(target) }
        let done = try await atRest(targets[...]) {
            try await store.renameService(
                old, to: new, repository: service.source == .hosted ? home.repository(new) : nil)
            Fault.renamed.pass()
            var trouble: (any Error)?
            do { try await finishRenaming(old, new) } catch { trouble = error }
            try await moveRoutes(targets, to: new)
            if let trouble {
                let failure = Lanes.failure(trouble)
                throw Failure(
                    code: "rename-unfinished",
                    "\(old) is called \(new) now, and its files did not follow: \(failure.message)",
                    hints: [
                        .init(
                            "the next start of the server moves them; look what is in the way",
                            command: "kinto doctor")
                    ])
            }
            return try await renamed(new, from: old)
        }
        // A deploy may have ended between the two, and its timer has the old name.
        for target in targets {
            try? await keeper.forget(Target(service: new, environment: target.environment))
        }
        return done
    }

    private func renamed(_ name: ServiceName, from old: ServiceName) async throws -> Renamed {
        let service = try await store.service(name)
        let repository = service?.repository ?? ""
        var urls: [String] = []
        for environment in try await store.environments(of: name) {
            let live = try await store.live(environment.target)
            if let url = deployment.url(environment.target, live?.manifest ?? Manifest(start: "-")) {
                urls.append(url)
            }
        }
        return Renamed(
            name: name.description, former: old.description, repository: Credentials.redacted(repository),
            remote: service?.source == .hosted ? "git remote set-url kinto \(repository)" : nil,
            webhook: hookAddress(name), urls: urls)
    }

    /// Nothing of the targets is swapped, undone or stopped meanwhile.
    private func atRest<T: Sendable>(
        _ targets: ArraySlice<Target>, _ body: @Sendable () async throws -> T
    ) async throws -> T {
        guard let first = targets.first else { return try await body() }
        return try await rollout.gate.with(first) { try await atRest(targets.dropFirst(), body) }
    }

    private func moveRoutes(_ old: [Target], to new: ServiceName) async throws {
        var moves: [(from: String, route: RoutingTable.Route)] = []
        for target in old {
            let now = Target(service: new, environment: target.environment)
            let route: RoutingTable.Route
            if let live = try await store.live(now), live.manifest != nil {
                let isSuspended = try await store.environment(now)?.suspended == true
                route = Deployment.route(
                    live, to: live.instances.filter(\.supervisor.isRunning),
                    isSuspended ? nil : try await deployment.files.of(live))
            } else {
                route = .init(identifier: now.description, hosts: [now.ownHost])
            }
            moves.append((target.description, route))
        }
        try await routes.rename(moves)
    }

    private func finishRenaming(_ old: ServiceName, _ new: ServiceName) async throws {
        guard let service = try await store.service(new) else { return }
        let files = RenamedFiles(
            home: home, runtime: options.runtimePath, old: old, service: service,
            former: try await store.formerNames(of: new))
        try await git.run { try files.move() }
        Fault.renamedFiles.pass()
        try await store.finishRenaming(old)
    }

    /// What an earlier server did not bring to its end.
    func finishRenamings() async throws {
        for renaming in try await store.openRenamings() {
            try await finishRenaming(renaming.old, renaming.new)
        }
    }

    /// Lets a service have a name that another one had.
    /// - Parameter service: may have it back; nil: a new one.
    /// - Throws: `Failure` of code `name-in-use`.
    func free(_ name: ServiceName, for service: ServiceName?) async throws {
        guard let owner = try await store.renamed(name), owner != service else { return }
        for environment in try await store.environments(of: owner) {
            let depends = try await store.releases(environment.target, limit: 100_000).contains { release in
                release.instances.contains { $0.statePath.hasPrefix("\(home.path)/services/\(name)/") }
                    || release.artifact.map { $0.available && $0.identifier.hasPrefix("\(name).") } == true
            }
            guard depends else { continue }
            throw Failure(
                code: "name-in-use",
                "\(owner) was called \(name), and releases of that time are kept: they have the name in their paths",
                hints: [
                    .init("choose another name"),
                    .init(
                        "or deploy it again, and let the old ones go",
                        command: "kinto prune \(owner) --keep 1"),
                ])
        }
        try await Blocking.run { [home] in try RenamedFiles.forget(home, name) }
        try await store.forgetName(name)
    }
}
