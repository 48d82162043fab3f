// SPDX-License-Identifier: Apache-2.0
public import Wire

/// Something that runs, as the server knows it. (The bare word clashes with libraries, hence "registered".)
public struct RegisteredService: Sendable, Equatable {
    /// Where its commits come from.
    public enum Source: String, Sendable, Codable {
        /// A bare repository that kinto made, under its home.
        case hosted
        /// A bare repository of the operator's on this host, in which kinto installed its hooks.
        case local
        /// A URL that is fetched from.
        case remote
    }

    public var name: ServiceName
    public var source: Source
    /// The path or URL the operator gave; never a payload's.
    public var repository: String
    public var createdAt: Timestamp
    /// Where its settings lie in the repository.
    public var settingsPath: String
    /// Who sends its webhooks.
    public var provider: Provider
    /// Signs webhooks; never shown but when it is made.
    public var webhookSecret: String
    /// The one before, which is in force a while longer so that a change of it loses nothing.
    public var previousSecret: PreviousSecret?
    /// What a newer trigger does to those before it.
    public var queue: QueuePolicy
    /// What becomes of a push of which no delivery told.
    public var missed: MissedPushPolicy
    /// Where submodules may come from beside its repository's host, each `HOST` or `HOST:PORT`.
    public var submoduleHosts: [String]
    /// Which branches get an environment of their own; nil: none.
    public var previews: PreviewRule?

    /// A secret that ends.
    public struct PreviousSecret: Sendable, Equatable {
        public var value: String
        public var until: Timestamp

        public init(value: String, until: Timestamp) {
            self.value = value
            self.until = until
        }
    }

    /// The secrets that sign at a time: one, or two while they are changed.
    public func secrets(at now: Timestamp = .now) -> [String] {
        [webhookSecret] + (previousSecret.map { now < $0.until ? [$0.value] : [] } ?? [])
    }

    public init(
        name: ServiceName, source: Source, repository: String, createdAt: Timestamp,
        settingsPath: String = "kinto.json", provider: Provider = .github, webhookSecret: String,
        previousSecret: PreviousSecret? = nil,
        queue: QueuePolicy = .wait, missed: MissedPushPolicy = .deploy, submoduleHosts: [String] = [],
        previews: PreviewRule? = nil
    ) {
        self.submoduleHosts = submoduleHosts
        self.previews = previews
        self.name = name
        self.missed = missed
        self.settingsPath = settingsPath
        self.provider = provider
        self.previousSecret = previousSecret
        self.source = source
        self.repository = repository
        self.createdAt = createdAt
        self.webhookSecret = webhookSecret
        self.queue = queue
    }
}

/// A place where a service runs.
public struct RegisteredEnvironment: Sendable, Equatable {
    public var target: Target
    /// What deploys it: a branch, or a pattern of branches or tags.
    public var branch: String
    /// Whether pushes do. `kinto deploy` always does.
    public var autoDeploy: Bool
    /// Deployed by a promotion, or by hand with its name typed.
    public var isProtected: Bool
    /// Stopped by the operator: nothing runs until it is resumed.
    public var suspended: Bool
    /// The stable port that its live or latest release asked for.
    public var port: UInt16?
    /// Requests wait until it is resumed.
    public var paused: Bool
    /// Closed to visitors, by the operator.
    public var maintenance: Maintenance?
    /// Why pushes are not deployed any more, until somebody deploys by hand.
    public var deploysStopped: String?
    /// How many instances the operator wants, instead of what kinto.json says.
    public var scale: Int?
    /// The same of types beside `web`.
    public var scales: [String: Int]
    /// When it goes by itself: it is a branch's preview; nil: it stays.
    public var previewUntil: Timestamp?

    public init(
        target: Target, branch: String, suspended: Bool = false, port: UInt16? = nil, paused: Bool = false,
        maintenance: Maintenance? = nil, deploysStopped: String? = nil, scale: Int? = nil,
        scales: [String: Int] = [:],
        autoDeploy: Bool = true, isProtected: Bool = false, previewUntil: Timestamp? = nil
    ) {
        self.previewUntil = previewUntil
        self.target = target
        self.branch = branch
        self.autoDeploy = autoDeploy
        self.isProtected = isProtected
        self.suspended = suspended
        self.port = port
        self.paused = paused
        self.maintenance = maintenance
        self.deploysStopped = deploysStopped
        self.scale = scale
        self.scales = scales
    }

    /// Numbers of instances that the operator wants, of all types that there is one of.
    public var wanted: [String: Int] {
        var wanted = scales
        wanted["web"] = scale
        return wanted
    }

    /// It is the preview of a pull request from a fork: what runs there is a stranger's, and gets no secrets.
    public var isOfFork: Bool { PullReference.number(branch) != nil }

    /// `branch` in the form that decides.
    public var pattern: RefPattern { RefPattern(stored: branch) }

    /// Why a push of what it tracks is not deployed all the same, and what deploys it; nil: it is.
    public var obstacle: (reason: String, way: Failure.Hint)? {
        if isProtected {
            return ("\(target) is protected: pushes do not deploy it", confirmation)
        }
        if !autoDeploy {
            return (
                "automatic deploys of \(target) are off",
                .init("deploy by hand", command: "kinto deploy \(target.words)")
            )
        }
        return deploysStopped.map {
            (
                "automatic deploys of \(target) are stopped: \($0)",
                .init(
                    "deploy by hand, which starts them again when it goes well",
                    command: "kinto deploy \(target.words)")
            )
        }
    }

    /// The way into a protected environment.
    public var confirmation: Failure.Hint {
        .init(
            "promote what runs elsewhere (kinto promote \(target.service) FROM \(target.environment)), or deploy by hand with its name typed",
            command: "kinto deploy \(target.words) --confirm \(target)")
    }
}

/// One variable of the server-side configuration.
public struct ConfigVariable: Sendable, Equatable {
    public var name: String
    public var value: String
    /// Never listed unless it is asked for by the machine's own user.
    public var isSecret: Bool

    public init(name: String, value: String, isSecret: Bool) {
        self.name = name
        self.value = value
        self.isSecret = isSecret
    }
}

/// What became of one webhook delivery.
public struct Delivery: Sendable, Equatable {
    public var identifier: String
    public var service: String
    public var provider: Provider
    public var event: String
    public var reference: String
    /// What the push changed, as JSON, to decide on it again; empty when there is nothing to decide.
    public var changes = ""
    /// `queued as release N`, `ignored: …`, `refused: …`
    public var verdict: String
    /// The first that it made or, if it made none, that is live already.
    public var release: Int?
    /// All of them.
    public var releases: [Outcome] = []
    public var status: Int
    public var at: Timestamp
    /// From the request's head to the verdict, in milliseconds.
    public var duration = 0

    /// The release of one environment that it has to do with.
    public struct Outcome: Sendable, Equatable, Codable {
        public var environment: EnvironmentName
        public var release: Int
        /// False: it was live already, with what the delivery asks for.
        public var isNew: Bool

        public init(environment: EnvironmentName, release: Int, isNew: Bool) {
            self.environment = environment
            self.release = release
            self.isNew = isNew
        }
    }

    public init(
        identifier: String, service: String, provider: Provider = .github, event: String, reference: String,
        verdict: String, release: Int?,
        status: Int, at: Timestamp
    ) {
        self.identifier = identifier
        self.service = service
        self.provider = provider
        self.event = event
        self.reference = reference
        self.verdict = verdict
        self.release = release
        self.status = status
        self.at = at
    }
}
