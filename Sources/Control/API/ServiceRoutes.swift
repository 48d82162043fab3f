// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

/// Services, the state of the whole, and deliveries.
struct ServiceRoutes: Sendable {
    let actions: Actions
    let version: String
    /// Over the unix socket: by the user whom the server runs as.
    let isLocal: Bool

    private struct NewService: Decodable {
        let name: String
        let repository: String?
        let branch: String?
        let config: String?
        let provider: String?
        let queue: String?
    }

    private struct Settings: Decodable {
        let provider: String?
        let missed: String?
        let token: String?
        let username: String?
        let authorities: String?
        let queue: String?
        let submoduleHosts: [String]?
        /// A pattern of branches; empty: none get previews any more.
        let previews: String?
        /// Milliseconds.
        let previewLifetime: Int?
        let previewMost: Int?
        /// An environment; empty: production's variables that are no secrets.
        let previewConfig: String?

        /// What is to be in force then.
        func rule(after known: PreviewRule?) throws -> PreviewRule? {
            guard let pattern = previews ?? known?.pattern else {
                throw Failure(code: "invalid-request", "say which branches get previews")
            }
            guard !pattern.isEmpty else { return nil }
            let config =
                try previewConfig.map { try $0.isEmpty ? nil : EnvironmentName($0) } ?? known?.config
            return try PreviewRule(
                pattern: pattern,
                lifetime: previewLifetime ?? known?.lifetime
                    ?? PreviewRule.usualLifetime.milliseconds,
                most: previewMost ?? known?.most ?? PreviewRule.usualMost, config: config)
        }

        var changesPreviews: Bool {
            previews != nil || previewLifetime != nil || previewMost != nil || previewConfig != nil
        }
    }

    private struct Import: Decodable {
        let service: ServiceDocument
        let name: String?
        let repository: String?
    }

    private struct Rename: Decodable {
        let to: String
    }

    private struct Replay: Decodable {
        let delivery: String
    }

    private struct Rotation: Decodable {
        let secret: String?
        /// Milliseconds.
        let overlap: Int?
    }

    private static func missed(_ text: String) throws -> MissedPushPolicy {
        guard let policy = MissedPushPolicy(rawValue: text) else {
            throw Failure(code: "invalid-request", "missed is one of deploy, warn and off")
        }
        return policy
    }

    private static func hosts(_ texts: [String]) throws -> [String] {
        try texts.filter { !$0.isEmpty }.map { text in
            // What can be the host and port of an address.
            guard texts.count <= 50, let address = try? GitAddress("https://\(text)/x"), address.path == "/x",
                address.user == nil, !address.host.contains(":")
            else {
                throw Failure(
                    code: "invalid-request",
                    "'\(text)' is no host like git.example.com or git.example.com:8443")
            }
            return (address.port ?? 443) == 443 ? address.host.lowercased() : text.lowercased()
        }
    }

    private static func provider(_ text: String) throws -> Provider {
        guard let provider = Provider(rawValue: text) else {
            throw Failure(code: "invalid-request", "provider is one of \(Provider.list)")
        }
        return provider
    }

    private static func policy(_ text: String) throws -> QueuePolicy {
        guard let policy = QueuePolicy(rawValue: text) else {
            throw Failure(code: "invalid-request", "queue is one of wait, cancel and every")
        }
        return policy
    }

    private struct Ask: Decodable {
        let environment: String?
    }

    private struct Scaled: Encodable {
        let instances: Int
        let processes: [String: Int]
    }
    private struct Restart: Decodable {
        /// Milliseconds.
        let drain: Int?
    }
    private struct Traffic: Decodable {
        let environment: String?
        let on: Bool?
        let page: String?
        let allow: [String]?
        let retryAfter: Int?
        let instances: Int?
        let processes: [String: Int]?
        let reset: [String]?

        /// By type; nil: what kinto.json says.
        var scale: [String: Int?] {
            var scale: [String: Int?] = processes ?? [:]
            for type in reset ?? [] { scale[type] = .some(nil) }
            if let instances { scale["web"] = .some(instances == 0 ? nil : instances) }
            return scale
        }

        /// nil: open.
        func maintenance() throws -> Maintenance? {
            guard on ?? true else { return nil }
            let ranges = try (allow ?? []).map { text in
                guard let range = AddressRange(text) else {
                    throw Failure(
                        code: "invalid-request", "'\(text)' is no address and no block of addresses")
                }
                return range
            }
            guard (page?.utf8.count ?? 0) <= 256 << 10 else {
                throw Failure(code: "invalid-request", "a page is at most 256 KiB")
            }
            return Maintenance(
                retryAfter: min(max(0, retryAfter ?? 60), 31_536_000), allow: ranges, page: page)
        }
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let (actions, isLocal) = (actions, isLocal)
        api.get("/status") { request, _ in
            let only = request.uri.queryParameters["service"].map(String.init)
            return try await actions.status(version: version, only: only).json()
        }
        api.get("/services") { _, _ in try await actions.status(version: version, only: nil).services.json() }
        api.post("/services") { request, context in
            let ask = try await request.decoded(NewService.self)
            context.note.about(try ServiceName(ask.name))
            return try await actions.addService(
                ask.name, repository: ask.repository, branch: ask.branch, settings: ask.config,
                provider: ask.provider.map(Self.provider), queue: ask.queue.map(Self.policy) ?? .wait
            ).json(.created)
        }
        api.get("/services/:name/export") { request, context in
            let withSecrets = request.flag("secrets")
            guard !withSecrets || isLocal else {
                throw Failure(
                    code: "local-only", "secrets are exported only on the server itself",
                    hints: [.init("log in there, as the user whom kinto runs as")])
            }
            return try await actions.exportService(request.target(context).service, withSecrets: withSecrets)
                .json()
        }
        api.post("/import") { request, _ in
            let ask = try await request.decoded(Import.self)
            _ = try Self.hosts(ask.service.submoduleHosts)
            return try await actions.importService(ask.service, name: ask.name, repository: ask.repository)
                .json(.created)
        }
        api.patch("/services/:name") { request, context in
            let target = try request.target(context)
            let ask = try await request.decoded(Settings.self)
            context.note.about(target.service)
            try await actions.require(target)
            try await actions.store.set(
                target.service, provider: ask.provider.map(Self.provider), queue: ask.queue.map(Self.policy),
                missed: ask.missed.map(Self.missed), submoduleHosts: ask.submoduleHosts.map(Self.hosts))
            if ask.changesPreviews {
                let known = try await actions.store.service(target.service)?.previews
                try await actions.setPreviews(target.service, try ask.rule(after: known))
            }
            if ask.token != nil || ask.username != nil || ask.authorities != nil {
                try await actions.changeCredentials(
                    target.service, token: ask.token, username: ask.username, authorities: ask.authorities)
            }
            return try await actions.status(version: version, only: target.service.description).services
                .json()
        }
        api.post("/services/:name/check") { request, context in
            let service = try request.target(context).service
            context.note.about(service)
            return try await actions.checkRemote(service).json()
        }
        api.get("/services/:name") { request, context in
            let target = try request.target(context)
            try await actions.require(target)
            return try await actions.status(version: version, only: target.service.description).services
                .json()
        }
        api.delete("/services/:name") { request, context in
            let target = try request.target(context)
            context.note.about(target.service)
            try await actions.removeService(target.service)
            return Response(status: .noContent)
        }
        api.post("/services/:name/rename") { request, context in
            let target = try request.target(context)
            let ask = try await request.decoded(Rename.self)
            return try await actions.renameService(target.service, to: ask.to).json()
        }
        api.post("/services/:name/rotate-secret") { request, context in
            let target = try request.target(context)
            let ask = try await request.decoded(Rotation.self)
            context.note.about(target.service)
            // A year at most: a secret that is never taken back was not rotated.
            let overlap = min(max(0, ask.overlap ?? 86_400_000), 31_536_000_000)
            return try await actions.rotateSecret(
                target.service, to: ask.secret, overlap: .milliseconds(overlap)
            ).json()
        }
        api.post("/services/:name/suspend") { request, context in
            let ask = try await request.decoded(Ask.self)
            try await actions.suspend(request.target(context, environment: ask.environment))
            return try [String: String]().json()
        }
        api.post("/services/:name/resume") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            guard let release = try await actions.resume(target, by: context.by) else {
                return try [String: String]().json()
            }
            context.note.say(release)
            return try ReleaseJSON(release: release).json(.accepted)
        }
        api.post("/services/:name/pause") { request, context in
            let ask = try await request.decoded(Ask.self)
            try await actions.pause(request.target(context, environment: ask.environment))
            return try [String: String]().json()
        }
        api.post("/services/:name/maintenance") { request, context in
            let ask = try await request.decoded(Traffic.self)
            let target = try request.target(context, environment: ask.environment)
            try await actions.close(target, try ask.maintenance())
            return try [String: String]().json()
        }
        api.post("/services/:name/scale") { request, context in
            let ask = try await request.decoded(Traffic.self)
            let target = try request.target(context, environment: ask.environment)
            let numbers = try await actions.scale(target, to: ask.scale)
            return try Scaled(instances: numbers["web"] ?? 0, processes: numbers).json()
        }
        api.post("/proxy/restart") { request, _ in
            let ask = try await request.decoded(Restart.self)
            return try ProxyJSON(await actions.restartProxy(drain: ask.drain)).json()
        }
        api.get("/deliveries") { request, _ in
            let name = try request.uri.queryParameters["service"].map { try ServiceName(String($0)) }
            return try await actions.store.deliveries(name, limit: request.limit).map(
                DeliveryJSON.init
            ).json()
        }
        api.post("/services/:name/deliveries/replay") { request, context in
            let target = try request.target(context)
            let ask = try await request.decoded(Replay.self)
            context.note.about(target.service)
            guard
                let answer = DeliveryAnswer(
                    try await actions.webhooks.replay(
                        ask.delivery, of: target.service, by: context.by ?? ""))
            else { throw Failure(code: "unknown-service", "there is no service '\(target.service)'") }
            return try answer.response()
        }
    }
}

/// The proxy that serves.
struct ProxyJSON: Encodable {
    let pid: Int32
    let supervisor: Int32?
    let listen: String
    let tlsListen: String?
    let version: String

    init(_ serving: ProxyProcess.Serving) {
        pid = serving.process.pid
        supervisor = serving.supervisor?.pid
        listen = serving.addresses.plain
        tlsListen = serving.addresses.secure
        version = serving.version
    }
}

struct DeliveryJSON: Encodable {
    let delivery, service, event, ref, verdict, at: String
    let provider: Provider
    let release: Int?
    /// Of every environment.
    let releases: [Outcome]
    let status: Int
    /// Milliseconds from the request to the verdict.
    let duration: Int
    /// Whether it can be decided on again.
    let replayable: Bool

    struct Outcome: Encodable {
        let environment: String
        let release: Int
        /// False: it was live already.
        let isNew: Bool
    }

    init(_ d: Delivery) {
        delivery = d.identifier
        service = d.service
        event = d.event
        ref = d.reference
        verdict = d.verdict
        at = d.at.rfc3339
        provider = d.provider
        duration = d.duration
        replayable = !d.changes.isEmpty
        release = d.release
        releases = d.releases.map {
            Outcome(environment: $0.environment.description, release: $0.release, isNew: $0.isNew)
        }
        status = d.status
    }
}
