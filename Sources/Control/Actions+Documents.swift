// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner
internal import Wire

/// Services to and from files.
extension Actions {
    /// - Parameter withSecrets: for its owner only.
    func exportService(_ name: ServiceName, withSecrets: Bool) async throws -> ServiceDocument {
        guard let service = try await store.service(name) else {
            throw Failure(code: "unknown-service", "there is no service '\(name)'")
        }
        let credentials = try await store.credentials(name)
        var environments: [ServiceDocument.Environment] = []
        var secrets: [String: [String: String]] = [:]
        // Those of branches come and go.
        for environment in try await store.environments(of: name) where environment.previewUntil == nil {
            let variables = try await store.variables(environment.target)
            let own = environment.target.environment.description
            for variable in variables where variable.isSecret {
                secrets[own, default: [:]][variable.name] = variable.value
            }
            environments.append(
                .init(
                    name: own, branch: environment.branch, autoDeploy: environment.autoDeploy,
                    protect: environment.isProtected, scale: environment.scale,
                    scales: environment.scales.isEmpty ? nil : environment.scales,
                    variables: variables.map {
                        .init(name: $0.name, secret: $0.isSecret, value: $0.isSecret ? nil : $0.value)
                    }))
        }
        let isHosted = service.source == .hosted
        return ServiceDocument(
            format: ServiceDocument.format, version: ServiceDocument.version, name: name.description,
            kind: service.source.rawValue,
            repository: isHosted ? nil : Credentials.redacted(service.repository),
            settings: service.settingsPath, provider: service.provider.rawValue,
            queue: service.queue.rawValue,
            missed: service.missed.rawValue, submoduleHosts: service.submoduleHosts,
            username: credentials.username, authorities: credentials.authorities, environments: environments,
            previews: service.previews,
            secrets: withSecrets
                ? .init(
                    variables: secrets, webhook: service.webhookSecret,
                    repository: isHosted ? nil : service.repository, sshKey: credentials.sshKey,
                    publicKey: credentials.publicKey, token: credentials.token) : nil)
    }

    struct Imported: Encodable {
        let added: Added
        /// Variables that are secret and of which the file has no value: `staging DATABASE_URL`.
        let missing: [String]
    }

    /// Registers what a file says, all of it or nothing.
    /// - Parameters:
    ///   - name: in the place of the file's.
    ///   - repository: the same; empty: one that kinto hosts.
    func importService(_ document: ServiceDocument, name: String?, repository: String?) async throws
        -> Imported
    {
        let service = try ServiceName(name ?? document.name)
        var missing: [String] = []
        var environments: [(environment: RegisteredEnvironment, variables: [ConfigVariable])] = []
        for environment in document.environments {
            let target = Target(service: service, environment: try EnvironmentName(environment.name))
            var registered = RegisteredEnvironment(
                target: target, branch: try RefPattern(environment.branch).description,
                autoDeploy: environment.autoDeploy, isProtected: environment.protect)
            registered.scale = environment.scale
            registered.scales = environment.scales ?? [:]
            var variables: [ConfigVariable] = []
            for variable in environment.variables {
                if let problem = VariableName.problem(variable.name) {
                    throw Failure(code: "invalid-config", problem)
                }
                guard
                    let value = variable.value
                        ?? document.secrets?.variables[environment.name]?[variable.name]
                else {
                    missing.append("\(environment.name) \(variable.name)")
                    continue
                }
                guard !value.utf8.contains(0) else {
                    throw Failure(code: "invalid-config", "the value of \(variable.name) holds a NUL byte")
                }
                if variable.secret { try Actions.refuseShort(variable.name, value) }
                variables.append(.init(name: variable.name, value: value, isSecret: variable.secret))
            }
            guard !environments.contains(where: { $0.environment.target == target }) else {
                throw Failure(code: "invalid-request", "environment '\(environment.name)' is there twice")
            }
            environments.append((registered, variables))
        }
        guard environments.contains(where: { $0.environment.target.environment == .production }) else {
            throw Failure(code: "invalid-request", "a service has an environment 'production'")
        }
        let previews = try document.previews.map { rule in
            try PreviewRule(
                pattern: rule.pattern, lifetime: rule.lifetime, most: rule.most, config: rule.config,
                forks: rule.forks)
        }
        if let config = previews?.config,
            !environments.contains(where: { $0.environment.target.environment == config })
        {
            throw Failure(
                code: "invalid-request", "previews have the variables of '\(config)', which is no environment"
            )
        }
        let given = repository ?? document.secrets?.repository ?? document.repository ?? ""
        var credentials = FetchCredentials(
            sshKey: document.secrets?.sshKey, publicKey: document.secrets?.publicKey,
            username: document.username,
            token: document.secrets?.token, authorities: document.authorities)
        let (plain, key) = try described(
            service, repository: given.isEmpty ? nil : given, settings: document.settings,
            provider: Provider(rawValue: document.provider),
            queue: QueuePolicy(rawValue: document.queue) ?? .wait)
        var registered = plain
        registered.missed = MissedPushPolicy(rawValue: document.missed) ?? .deploy
        registered.submoduleHosts = document.submoduleHosts
        if let secret = document.secrets?.webhook { registered.webhookSecret = secret }
        if let key, credentials.sshKey == nil {
            credentials.sshKey = key.privateText
            credentials.publicKey = key.publicText
        }
        try await register(registered, environments, credentials)
        if let previews { try await setPreviews(service, previews) }
        let production = environments.first { $0.environment.target.environment == .production }?.environment
        return Imported(
            added: try await added(registered, production?.branch ?? "main", credentials.publicKey),
            missing: missing)
    }
}
