// SPDX-License-Identifier: Apache-2.0
public import Wire

/// One numbered attempt to make a commit with a configuration live in one environment of a service.
public struct Release: Sendable, Equatable {
    /// Legal successors: queued → deploying, superseded, aborted, failed; deploying → deployed, failed, aborted,
    /// superseded (what it would deploy is older than what is live), queued (interrupted before the swap and taken up
    /// again); deployed → failed, by the watch after its swap and by nothing else. The others are final.
    public enum Status: String, Sendable, Codable, CaseIterable {
        case queued, deploying, deployed, failed, aborted, superseded

        public var isFinal: Bool { self != .queued && self != .deploying }
    }

    /// What asked for it.
    public enum Trigger: String, Sendable, Codable {
        case push, webhook, manual, rollback, config, promote

        /// Whether it brings a commit of the tracked branch (and so replaces a waiting one that does, too), and not an
        /// artifact that is already there.
        public var isDeploy: Bool { self == .push || self == .webhook || self == .manual }
    }

    /// Requests that the swap touched: from the swap to the end of the drain.
    public struct SwapReceipt: Sendable, Equatable, Codable, CustomStringConvertible {
        public var requests: UInt64
        public var failed: UInt64
        /// Made to wait, by the proxy, until an instance took them.
        public var delayed: UInt64
        /// Of those that failed: still on their way when the time for the drain was over.
        public var cut: UInt64

        public init(requests: UInt64, failed: UInt64, delayed: UInt64, cut: UInt64 = 0) {
            self.requests = requests
            self.failed = failed
            self.delayed = delayed
            self.cut = cut
        }

        public var description: String {
            "\(requests) requests, \(failed) failed, \(delayed) delayed, \(cut) cut"
        }

        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            requests = try values.decode(UInt64.self, forKey: .requests)
            failed = try values.decode(UInt64.self, forKey: .failed)
            delayed = try values.decode(UInt64.self, forKey: .delayed)
            cut = try values.decodeIfPresent(UInt64.self, forKey: .cut) ?? 0
        }
    }

    /// The time after the swap in which trouble brings the release before it back.
    public struct Watch: Sendable, Equatable, Codable {
        public var until: Timestamp
        /// The number of the release that comes back.
        public var previous: Int
        /// Its share of answers with 500 and above in the minutes before the swap, 0 to 1.
        public var baseline: Double

        public init(until: Timestamp, previous: Int, baseline: Double) {
            self.until = until
            self.previous = previous
            self.baseline = baseline
        }
    }

    public struct Artifact: Sendable, Equatable, Codable {
        public var identifier: String
        public var sha256: String
        public var bytes: Int64
        public var available: Bool

        public init(identifier: String, sha256: String, bytes: Int64, available: Bool = true) {
            self.identifier = identifier
            self.sha256 = sha256
            self.bytes = bytes
            self.available = available
        }
    }

    /// The store's key: grows with acceptance over all targets.
    public var id: Int64
    public var target: Target
    public var number: Int
    public var status: Status
    public var live: Bool
    public var stage: Stage?
    public var commit: CommitID?
    /// What the trigger said that the branch is at; it may have moved on before it was fetched.
    public var tip: CommitID?
    public var branch: String
    public var subject: String
    public var author: String
    public var trigger: Trigger
    /// Who asked for it, as `Principal.name`; nil: nobody whom kinto knows (a forge, kinto itself).
    public var by: String?
    public var rollbackOf: Int?
    public var supersededBy: Int?
    public var createdAt: Timestamp
    public var startedAt: Timestamp?
    public var liveAt: Timestamp?
    public var finishedAt: Timestamp?
    /// Milliseconds by step: `queue` and the stages.
    public var timings: [String: Double]
    public var swap: SwapReceipt?
    /// Set at the swap; nil when there is nothing to go back to.
    public var watch: Watch?
    /// Of a release that was replaced: how long its instances are kept running, so that it can come back at once.
    public var warmUntil: Timestamp?
    public var instances: [Instance]
    /// Its build and the commands of `release`, by name, from before they were let run until the release is over.
    public var jobs: [String: Job]
    /// `release.after` is to be run, or runs.
    public var isAfterDue: Bool
    /// How often it was begun: more than once after a server died with it.
    public var attempts: Int
    public var artifact: Artifact?
    public var failure: Failure?
    /// What was said before its build, as ``Warning/kept(_:)`` leaves it.
    public var warnings: [Warning]
    /// Build without caches.
    public var noCache: Bool
    /// Deploy also when its commit is live already.
    public var force: Bool
    /// Identifies what the artifact was built from; nil when it was not built by this release.
    public var buildKey: String?
    /// Someone asked to abort it; obeyed before the swap.
    public var abortRequested: Bool
    /// The settings as they were when it started: kinto.json of the commit, merged for the environment.
    public var manifest: Manifest?
    /// The server-side configuration it runs with: taken when it starts, kept for rollbacks.
    public var config: [String: String]?

    public init(
        id: Int64, target: Target, number: Int, status: Status = .queued, commit: CommitID?, branch: String,
        trigger: Trigger, createdAt: Timestamp
    ) {
        self.id = id
        self.target = target
        self.number = number
        self.status = status
        self.commit = commit
        self.branch = branch
        self.trigger = trigger
        self.createdAt = createdAt
        live = false
        subject = ""
        author = ""
        timings = [:]
        instances = []
        warnings = []
        jobs = [:]
        isAfterDue = false
        attempts = 0
        noCache = false
        force = false
        abortRequested = false
    }

    /// What runs once it is live: of one that is rolled back to or configured anew it ran before.
    public var after: String? { trigger.isDeploy || trigger == .promote ? manifest?.release?.after : nil }

    /// Whose console is shown when nobody says which: `web.1`, or the first of its types.
    public var mainInstance: String {
        guard let manifest, manifest.start == nil else { return "web.1" }
        let names = manifest.groups().flatMap(\.names)
        return instances.first?.name ?? names.first ?? "web.1"
    }

    /// What it is when it was ended on request: by a person, or by a newer trigger.
    public var endedStatus: Status { supersededBy == nil ? .aborted : .superseded }

    /// Whether it may come back: it was live, even if its own swap is still being drained, and was not found to be bad.
    public var isProven: Bool { status == .deployed || status == .deploying && liveAt != nil }

    /// `SERVICE/ENVIRONMENT/NUMBER`: names the release's upstream in the proxy.
    public var upstream: String { "\(target)/\(number)" }
}

/// One supervised command of a release that is meant to end, as recorded before it was let run. It goes on when the server
/// dies, and the next server waits for its end.
public struct Job: Sendable, Hashable, Codable {
    /// Unique per start; see `Instance.identifier`.
    public var identifier: String
    public var supervisor: ProcessIdentity
    public var statePath: String
    public var startedAt: Timestamp

    /// What became of one that an earlier server started.
    public enum Fate: Sendable {
        case ended(SupervisorState)
        /// The earlier server died before it let it run.
        case neverRan
        /// It ran, and nobody knows how far.
        case unknown
    }

    public init(identifier: String, supervisor: ProcessIdentity, statePath: String, startedAt: Timestamp) {
        self.identifier = identifier
        self.supervisor = supervisor
        self.statePath = statePath
        self.startedAt = startedAt
    }
}

/// One supervised process of a release, as recorded before it was let run.
public struct Instance: Sendable, Hashable, Codable {
    /// Unique per start; `KINTO_INSTANCE_ID` in its environment, by which strays are recognised.
    public var identifier: String
    /// `web.1`: process type and index from 1.
    public var name: String
    /// Private loopback port; nil: it takes no requests.
    public var port: UInt16?
    public var supervisor: ProcessIdentity
    public var statePath: String
    public var startedAt: Timestamp
    /// As last seen in the supervisor's state.
    public var pid: Int32?
    public var restarts: Int

    public init(
        identifier: String, name: String, port: UInt16?, supervisor: ProcessIdentity, statePath: String,
        startedAt: Timestamp, pid: Int32? = nil, restarts: Int = 0
    ) {
        self.identifier = identifier
        self.name = name
        self.port = port
        self.supervisor = supervisor
        self.statePath = statePath
        self.startedAt = startedAt
        self.pid = pid
        self.restarts = restarts
    }
}

extension Instance {
    /// `web`, `worker`
    public var type: String { ProcessGroup.type(of: name) }
}

extension [Instance] {
    /// Those that requests go to.
    public var web: [Instance] { filter { $0.port != nil } }
    /// Those that take no requests.
    public var workers: [Instance] { filter { $0.port == nil } }
    public var ports: [UInt16] { compactMap(\.port) }

    /// Adds an instance, in the place of the one of its name if there is one.
    public mutating func put(_ instance: Instance) {
        if let index = firstIndex(where: { $0.name == instance.name }) {
            self[index] = instance
        } else {
            append(instance)
        }
    }

    /// Takes out those that are these processes, whatever has come to their names.
    public mutating func remove(_ ended: [Instance]) {
        removeAll { one in ended.contains { $0.identifier == one.identifier } }
    }
}
