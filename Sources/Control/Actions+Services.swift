// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import HookReceiver
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

extension Actions {
    struct Added: Encodable {
        struct Webhook: Encodable {
            let url: String
            let secret: String
            let provider: Provider
        }
        let name: String
        let branch: String
        let kind: String
        let repository: String
        let webhook: Webhook
        let remote: String?
        /// The public half of the key that it is fetched with, to be entered at the forge; nil: not by ssh.
        let deployKey: String?
        /// What a look at a remote repository said.
        let check: RemoteCheck?
    }

    /// - Parameter provider: nil: guessed from the address.
    func addService(
        _ name: String, repository: String?, branch: String?, settings: String?, provider: Provider?,
        queue: QueuePolicy
    ) async throws -> Added {
        let service = try ServiceName(name)
        let branch = try RefPattern(branch ?? "main").description
        let (registered, key) = try described(
            service, repository: repository, settings: settings ?? "kinto.json", provider: provider,
            queue: queue)
        let production = RegisteredEnvironment(target: Target(service: service), branch: branch)
        try await register(
            registered, [(production, [])],
            key.map { FetchCredentials(sshKey: $0.privateText, publicKey: $0.publicText) })
        return try await added(registered, branch, key?.publicText)
    }

    /// What a service will be, and a key if its repository is fetched by ssh.
    func described(
        _ service: ServiceName, repository: String?, settings: String, provider: Provider?, queue: QueuePolicy
    ) throws -> (RegisteredService, DeployKey?) {
        guard Manifest.isPath(settings) else {
            throw Failure(
                code: "invalid-request", "--config is a path in the repository like services/api/kinto.json")
        }
        let source: RegisteredService.Source
        let path: String
        var guess = Provider(guessing: "")
        var key: DeployKey?
        switch repository {
        case nil: (source, path) = (.hosted, home.repository(service))
        case .some(let given) where given.hasPrefix("/"): (source, path) = (.local, given)
        case .some(let given):
            let address = try GitAddress(given)
            if address.transport != .local { guess = Provider(guessing: address.host, path: address.path) }
            if address.transport == .ssh { key = DeployKey(comment: "kinto-\(service)") }
            (source, path) = (.remote, given)
        }
        let registered = RegisteredService(
            name: service, source: source, repository: path, createdAt: .now, settingsPath: settings,
            provider: provider ?? guess, webhookSecret: Actions.random(), queue: queue)
        return (registered, key)
    }

    /// Makes its repository, records all of it at once, and lets it be reached.
    func register(
        _ service: RegisteredService,
        _ environments: [(environment: RegisteredEnvironment, variables: [ConfigVariable])],
        _ credentials: FetchCredentials?
    ) async throws {
        let (name, path) = (service.name, service.repository)
        try await free(name, for: nil)
        if try await store.service(name) != nil {
            throw Failure(
                code: "service-exists", "there is a service '\(name)' already",
                hints: [.init("look at it", command: "kinto service show \(name)")])
        }
        for (environment, _) in environments { try await requireFreeName(environment.target) }
        if service.source == .local,
            let other = try await store.services().first(where: { $0.repository == path })
        {
            throw Failure(
                code: "repository-taken", "pushes to \(path) deploy service '\(other.name)' already",
                hints: [
                    .init(
                        "let this one fetch from it, and be told by a webhook",
                        command: "kinto service add \(name) --repo file://\(path)")
                ])
        }
        try await git.run { [options] in
            if service.source == .hosted, !Files.exists(path) { try GitRepository.createBare(path) }
            guard service.source != .remote else { return }
            _ = try GitRepository(opening: path)
            try HookScripts.install(in: path, service: name, home: options.home, runtime: options.runtimePath)
        }
        try await store.add(service, environments, credentials: credentials)
        for (environment, _) in environments {
            try await makeKnown(environment.target) { try await store.remove(name) }
        }
    }

    /// - Parameter key: public.
    func added(_ service: RegisteredService, _ branch: String, _ key: String?) async throws -> Added {
        let isRemote = service.source == .remote
        return Added(
            name: service.name.description, branch: branch, kind: service.source.rawValue,
            repository: Credentials.redacted(service.repository),
            webhook: .init(
                url: hookAddress(service.name), secret: service.webhookSecret, provider: service.provider),
            remote: isRemote ? nil : "git remote add kinto \(service.repository)", deployKey: key,
            check: isRemote ? await look(at: service, try RefPattern(branch)) : nil)
    }

    /// Stops and forgets a service; a repository that the operator gave is left but for the hooks.
    func removeService(_ name: ServiceName) async throws {
        guard try await store.service(name) != nil else {
            throw Failure(code: "unknown-service", "there is no service '\(name)'")
        }
        try await remove {
            for environment in try await store.environments(of: name) { try await end(environment.target) }
            return try await store.end(name)
        }
    }

    struct StatusJSON: Encodable {
        struct Proxy: Encodable {
            let pid: Int32?
            let supervisor: Int32?
            /// nil: where the other program's configuration says.
            let listen: String?
            /// nil: without TLS.
            let tlsListen: String?
            let certificates: [CertificateJSON]
            /// With its version; nil when it does not answer.
            let name: String?
        }
        struct Webhook: Encodable {
            let provider: Provider
            let url: String
            /// Until when the secret before the present one signs, too; nil: only one signs.
            let previousSecretUntil: String?
        }
        struct Service: Encodable {
            let name, environment, branch, repository: String
            /// nil: what is live takes no requests.
            let url: String?
            let live: ReleaseJSON?
            /// What is live is a site of files.
            let site: Bool
            let releases: [ReleaseJSON]
            /// The newest release that is over, if it failed.
            let failed: WhyJSON?
            let queued: Int
            /// What a newer trigger does to those before it.
            let queue: QueuePolicy
            /// What becomes of a push of which no delivery told.
            let missed: MissedPushPolicy
            /// Where submodules may come from beside the repository's host.
            let submoduleHosts: [String]
            /// Which branches get environments of their own.
            let previews: PreviewRule?
            /// When this one goes, if it is such a one.
            let previewUntil: String?
            let suspended, paused, maintenance, autoDeploy, protect: Bool
            /// Why pushes are not deployed.
            let deploysStopped: String?
            /// Replaced releases that still run.
            let warm: [Int]
            /// Commands that run once.
            let runs: [RunJSON]
            let cron: [ScheduleJSON]
            let webhook: Webhook
            let lastDelivery: DeliveryJSON?
            /// The first of `waits`.
            let waiting: String?
            let waits: [Wait]
        }
        let version, home, listen: String
        /// As of the last look; nil before the first.
        let storage: StorageSizes?
        let proxy: Proxy
        /// What of docs/containment.md is in force, and why not more.
        let isolation: [String: String]
        let spool: SpoolJSON
        let services: [Service]
    }

    /// The process that starts the proxy again when it dies; ending it ends the proxy.
    private func proxySupervisor() -> Int32? {
        let state = try? SupervisorState.read(home.proxyState)
        return state.flatMap { $0.supervisor.isRunning ? $0.supervisor.pid : nil }
    }

    func status(version: String, only: String?) async throws -> StatusJSON {
        let hello = try? await routes.status()
        let runs = try await store.runs()
        var services: [StatusJSON.Service] = []
        for service in try await store.services() where only == nil || only == service.name.description {
            for environment in try await store.environments(of: service.name) {
                let target = environment.target
                let open = try await store.openReleases(target)
                let live = try await store.live(target)
                let waits = await waits(target, open)
                services.append(
                    .init(
                        name: service.name.description, environment: target.environment.description,
                        branch: environment.branch, repository: Credentials.redacted(service.repository),
                        url: deployment.url(target, live?.manifest ?? Manifest(start: "-")),
                        live: live.map { ReleaseJSON(release: $0) },
                        site: live?.manifest?.static != nil,
                        releases: open.map { ReleaseJSON(release: $0) },
                        failed: try await store.releases(target, limit: open.count + 1).first(
                            where: \.status.isFinal
                        ).flatMap { $0.status == .failed ? WhyJSON($0) : nil },
                        queued: open.count { $0.status == .queued }, queue: service.queue,
                        missed: service.missed, submoduleHosts: service.submoduleHosts,
                        previews: service.previews, previewUntil: environment.previewUntil?.rfc3339,
                        suspended: environment.suspended,
                        paused: environment.paused, maintenance: environment.maintenance != nil,
                        autoDeploy: environment.autoDeploy, protect: environment.isProtected,
                        deploysStopped: environment.deploysStopped,
                        warm: await keeper.warm(target).map(\.number),
                        runs: runs.filter { $0.target == target && $0.supervisor?.isRunning == true }.map(
                            RunJSON.init),
                        cron: try await schedules(target),
                        webhook: .init(
                            provider: service.provider, url: hookAddress(service.name),
                            previousSecretUntil: service.previousSecret.flatMap {
                                $0.until > .now ? $0.until.rfc3339 : nil
                            }),
                        lastDelivery: try await store.deliveries(service.name, limit: 1).first.map(
                            DeliveryJSON.init),
                        waiting: waits.first?.on, waits: waits + (await rests(environment, live))))
            }
        }
        return StatusJSON(
            version: version, home: home.path, listen: options.listen, storage: await retention.sizes,
            proxy: .init(
                pid: hello?.process?.pid, supervisor: proxySupervisor(),
                listen: routes.isExternal ? nil : hello?.addresses?.plain ?? options.proxyListen,
                tlsListen: hello?.addresses?.secure, certificates: await certificates(), name: hello?.name),
            isolation: Dictionary(
                containment.facts.map { ($0.name, $0.value) }
                    + [("reasons", containment.reasons.joined(separator: "; "))], uniquingKeysWith: { $1 }),
            spool: SpoolJSON(Spool(home)), services: services)
    }
}
