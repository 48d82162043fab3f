// SPDX-License-Identifier: Apache-2.0
public import Wire

/// Everything a rollout needs, fixed when it starts.
public struct RolloutPlan: Sendable {
    public var target: Target
    public var number: Int
    public var manifest: Manifest
    /// The directory the instances run in: the artifact's tree.
    public var directory: String
    /// The instances' environment but for what differs between instances (`PORT`, `KINTO_INSTANCE`, …):
    /// `NAME=value`.
    public var environment: [String]
    /// Values that never reach the console log.
    public var secrets: [String]
    /// `Home.release`: logs and states.
    public var releaseDirectory: String
    /// Host names that the proxy routes to the target.
    public var hosts: [String]
    /// What runs: with the operator's numbers, else those of the settings. `web` first.
    public var groups: [ProcessGroup]
    /// What of it the proxy answers with itself.
    public var files: StaticFiles?

    /// The release that a rollout replaces.
    public struct Previous: Sendable {
        public var number: Int
        public var upstream: String
        public var instances: [Instance]
        public var manifest: Manifest

        /// Whether requests came to it.
        public var tookRequests: Bool { !instances.web.isEmpty || manifest.static != nil }

        /// nil when nothing of the release runs, and it has no files.
        public init?(_ release: Release) {
            guard let manifest = release.manifest, !release.instances.isEmpty || manifest.static != nil
            else { return nil }
            number = release.number
            upstream = release.upstream
            instances = release.instances
            self.manifest = manifest
        }
    }

    public init(
        target: Target, number: Int, manifest: Manifest, directory: String, environment: [String],
        secrets: [String],
        releaseDirectory: String, hosts: [String], groups: [ProcessGroup], files: StaticFiles? = nil
    ) {
        self.files = files
        self.target = target
        self.number = number
        self.manifest = manifest
        self.directory = directory
        self.environment = environment
        self.secrets = secrets
        self.releaseDirectory = releaseDirectory
        self.hosts = hosts
        self.groups = groups
    }

    /// Whether it takes requests.
    public var takesRequests: Bool { files?.isSite == true || groups.contains { $0.worker == nil } }

    /// `web.1`, `worker.1` …
    public var names: [String] { groups.flatMap(\.names) }

    public func group(of instance: Instance) -> ProcessGroup? {
        groups.first { $0.name == instance.type }
    }
}

/// Where a rollout records what it is about to do and what it did. Each call returns when the record is durable; an
/// error stops the rollout, before the act.
public protocol RolloutJournal: Sendable {
    /// A step begins; the one before it, if any, is over.
    func enter(_ stage: Stage) async throws
    /// An instance is about to be let run.
    func starting(_ instance: Instance) async throws
    /// The proxy is about to be told. From here on an abort is refused.
    /// - Returns: what serves now; nil for the first release or a suspended service.
    /// - Throws: `CancellationError` when an abort came first.
    func swapping() async throws -> RolloutPlan.Previous?
    /// Before the swap: instances of these types are about to start, and those that serve may not run beside them: they are stopped.
    func clear(_ types: Set<String>) async throws
    /// Workers of what was replaced have ended.
    func stopped(_ workers: [Instance], of previous: RolloutPlan.Previous) async
    /// No new request reaches the old release any more: this one is live.
    /// - Parameter baseline: the old one's share of answers with 500 and above, 0 to 1.
    func swapped(from previous: RolloutPlan.Previous?, baseline: Double) async throws
    /// The drain is over.
    func drained(_ receipt: Release.SwapReceipt) async throws
    /// One line of the release log.
    func log(_ line: LogLine) async
}

/// A line of the release log, as the push shows it.
public enum LogLine: Sendable, Equatable {
    /// `-----> text`
    case step(String)
    /// `       text`
    case detail(String)
    /// ` !     text`
    case trouble(String)

    public var text: String {
        switch self {
        case .step(let text): "-----> \(text)"
        case .detail(let text): "       \(text)"
        case .trouble(let text): " !     \(text)"
        }
    }
}
