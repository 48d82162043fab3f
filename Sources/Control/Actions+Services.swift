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
        let pattern = try RefPattern(branch ?? "main")
        let branch = pattern.description
        let settingsPath = settings ?? "kinto.json"
        guard Manifest.isPath(settingsPath) else {
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
        if try await store.service(service) != nil {
            throw Failure(
                code: "service-exists", "there is a service '\(name)' already",
                hints: [.init("look at it", command: "kinto service show \(name)")])
        }
        try await requireFreeName(Target(service: service))
        if source == .local, let other = try await store.services().first(where: { $0.repository == path }) {
            throw Failure(
                code: "repository-taken", "pushes to \(path) deploy service '\(other.name)' already",
                hints: [
                    .init(
                        "let this one fetch from it, and be told by a webhook",
                        command: "kinto service add \(name) --repo file://\(path)")
                ])
        }
        let made = try await git.run { [options] () throws -> Bool in
            if source == .hosted, !Files.exists(path) { try GitRepository.createBare(path) }
            if source != .remote {
                _ = try GitRepository(opening: path)
                try HookScripts.install(
                    in: path, service: service, home: options.home, runtime: options.runtimePath)
            }
            return true
        }
        _ = made
        let secret = Actions.random()
        let provider = provider ?? guess
        let registered = RegisteredService(
            name: service, source: source, repository: path, createdAt: .now, settingsPath: settingsPath,
            provider: provider, webhookSecret: secret, queue: queue)
        try await store.add(
            registered, branch: branch,
            credentials: key.map { FetchCredentials(sshKey: $0.privateText, publicKey: $0.publicText) })
        try await makeKnown(Target(service: service)) { try await store.remove(service) }
        return Added(
            name: name, branch: branch, kind: source.rawValue, repository: Credentials.redacted(path),
            webhook: .init(url: hookAddress(service), secret: secret, provider: provider),
            remote: source == .remote ? nil : "git remote add kinto \(path)", deployKey: key?.publicText,
            check: source == .remote ? await look(at: registered, pattern) : nil)
    }

    /// Stops and forgets a service; a repository that the operator gave is left but for the hooks.
    func removeService(_ name: ServiceName) async throws {
        guard let service = try await store.service(name) else {
            throw Failure(code: "unknown-service", "there is no service '\(name)'")
        }
        var artifacts: Set<String> = []
        repeat {
            for environment in try await store.environments(of: name) {
                try await end(environment.target)
                artifacts.formUnion(
                    try await store.releases(environment.target, limit: 100_000).compactMap {
                        $0.artifact?.identifier
                    })
            }
            // What is pushed until then is of it, and ends, too.
        } while try await !store.remove(name, ifIdle: true)
        let home = home
        try await Blocking.run { [artifacts] in
            if service.source == .local {
                HookScripts.remove(from: service.repository)
            } else {
                try Files.removeTree(home.repository(name))
            }
            try Files.removeTree(home.submodules(name))
            try Files.removeTree("\(home.path)/services/\(name)")
            try Files.removeTree("\(home.path)/work/\(name)")
            for artifact in artifacts { try Files.removeTree("\(home.artifacts)/\(artifact)") }
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
            let suspended, paused, maintenance, autoDeploy, protect: Bool
            /// Why pushes are not deployed.
            let deploysStopped: String?
            /// Replaced releases that still run.
            let warm: [Int]
            /// Commands that run once.
            let runs: [RunJSON]
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
                        releases: open.map { ReleaseJSON(release: $0) },
                        failed: try await store.releases(target, limit: open.count + 1).first(
                            where: \.status.isFinal
                        ).flatMap { $0.status == .failed ? WhyJSON($0) : nil },
                        queued: open.count { $0.status == .queued }, queue: service.queue,
                        missed: service.missed, submoduleHosts: service.submoduleHosts,
                        suspended: environment.suspended,
                        paused: environment.paused, maintenance: environment.maintenance != nil,
                        autoDeploy: environment.autoDeploy, protect: environment.isProtected,
                        deploysStopped: environment.deploysStopped,
                        warm: await keeper.warm(target).map(\.number),
                        runs: runs.filter { $0.target == target && $0.supervisor?.isRunning == true }.map(
                            RunJSON.init),
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

/// The hooks that kinto puts into a bare repository.
enum HookScripts {
    static func install(in repository: String, service: ServiceName, home: Home, runtime: String) throws {
        for kind in ["pre-receive", "post-receive"] {
            let path = "\(repository)/hooks/\(kind)"
            if let old = try? Files.read(path), !String(decoding: old, as: UTF8.self).contains(mark) {
                throw Failure(
                    code: "hook-exists", "\(path) is there already and is not kinto's",
                    hints: [
                        .init(
                            "move it away, or call this from it: \(runtime) hook \(kind) --home \(home.path) --service \(service)"
                        )
                    ])
            }
            try Files.makeDirectories("\(repository)/hooks", mode: 0o755)
            let script =
                "#!/bin/sh\n\(mark)\nexec \(quoted(runtime)) hook \(kind) --home \(quoted(home.path)) --service \(service)\n"
            try Files.replace(path, with: Array(script.utf8), mode: 0o755)
        }
    }

    static func remove(from repository: String) {
        for kind in ["pre-receive", "post-receive"] {
            let path = "\(repository)/hooks/\(kind)"
            if let old = try? Files.read(path), String(decoding: old, as: UTF8.self).contains(mark) {
                unlink(path)
            }
        }
    }

    private static let mark = "# installed by kinto"

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
