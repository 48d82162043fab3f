// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import KintoCore
internal import Logging
internal import Runner
internal import Wire

/// Gives back what is not needed any more: after each release, at the start, and when somebody asks. Beside the deploys,
/// one run at a time; what is in use is known from the record, see ``RetentionPlan``.
actor Retention {
    /// What went, or would go.
    struct Freed: Encodable, Sendable {
        struct Item: Encodable, Sendable {
            /// `artifact`, `logs`, `cache`, `release`
            let kind: String
            let name: String
            let bytes: Int64
        }
        var items: [Item] = []
        var records = 0
        var bytes: Int64 = 0

        mutating func add(_ kind: String, _ name: String, _ size: Int64) {
            items.append(Item(kind: kind, name: name, bytes: size))
            bytes &+= size
        }
    }

    nonisolated let settings: RetentionSettings
    private let home: Home
    private let store: Store
    private let artifacts: ArtifactStore
    private let git: GitExecutor
    private let leftovers: Leftovers
    private let logger: Logger
    private var current: Task<Void, Never>?
    /// How many were begun.
    private var runs = 0
    /// For the next run.
    private var waiting: Task<Void, Never>?
    private var rested = ContinuousClock.now
    /// As of the last run.
    private(set) var sizes: StorageSizes?

    init(
        home: Home, store: Store, artifacts: ArtifactStore, git: GitExecutor, settings: RetentionSettings,
        logger: Logger
    ) {
        self.home = home
        self.store = store
        self.artifacts = artifacts
        self.git = git
        leftovers = Leftovers(home: home, store: store, artifacts: artifacts)
        self.settings = settings
        self.logger = logger
    }

    /// After a deploy. It walks over all that is kept, so that many deploys in a row share a run: for ten times as long as the
    /// last one took there is none.
    func soon() {
        guard waiting == nil else { return }
        waiting = Task { [rested] in
            guard (try? await Task.sleep(until: rested, clock: .continuous)) != nil else { return }
            await self.now()
        }
    }

    /// A run that begins and ends before this returns; of callers that wait together it is the same one.
    func now() async {
        let before = runs
        while runs == before {
            if let running = current {
                await running.value
            } else {
                start()
            }
        }
        if let running = current { await running.value }
    }

    private func start() {
        runs += 1
        // Any run is the one that it waits for.
        waiting?.cancel()
        waiting = nil
        current = Task {
            let began = ContinuousClock.now
            await runQuietly()
            rested = .now + max(.milliseconds(500), min(.seconds(10), (ContinuousClock.now - began) * 10))
            current = nil
        }
    }

    private func runQuietly() async {
        do { _ = try await prune(settings) } catch {
            logger.error("retention", metadata: ["error": "\(error)"])
        }
        let home = home
        sizes = try? await Blocking.run { StorageSizes(home) }
    }

    /// What a person asks for.
    /// - Parameters:
    ///   - keep: artifacts of each environment, instead of the setting.
    ///   - isDry: says only what would go.
    /// - Throws: `Failure` of code `retention-paused` while a backup runs.
    func prune(only: ServiceName?, keep: Int?, isDry: Bool) async throws -> Freed {
        var settings = settings
        if let keep { settings.artifacts = max(1, keep) }
        // The run after a release is short: it is waited for.
        while let running = current { await running.value }
        let freed: Freed
        do { freed = try await prune(settings, only: only, isAsked: true, isDry: isDry) } catch let failure
            as Failure
            where failure.code == "retention-paused" && current != nil
        {
            await current?.value
            freed = try await prune(settings, only: only, isAsked: true, isDry: isDry)
        }
        let home = home
        sizes = try? await Blocking.run { StorageSizes(home) }
        return freed
    }

    private func prune(
        _ settings: RetentionSettings, only: ServiceName? = nil, isAsked: Bool = false, isDry: Bool = false
    ) async throws -> Freed {
        guard let lock = try RetentionLock.exclusive(home) else {
            guard isAsked else { return Freed() }
            throw Failure(
                code: "retention-paused", "nothing is deleted while a backup or another prune runs",
                hints: [.init("try again when it is over", command: "kinto prune")])
        }
        defer { withExtendedLifetime(lock) {} }
        var freed = Freed()
        let plan = try await store.retentionPlan(settings, only: only, isAsked: isAsked)
        let artifacts = artifacts
        for doomed in plan.artifacts {
            if !isDry {
                guard try await store.giveUp(artifact: doomed.identifier) else { continue }
                try await Blocking.run { try artifacts.remove(doomed.identifier) }
            }
            freed.add("artifact", doomed.releases.joined(separator: ", "), doomed.bytes)
        }
        try await pruneLogs(plan.held, settings, only, isDry, &freed)
        try await pruneCaches(settings, only, isDry, &freed)
        try await pruneHistory(try await store.releasesBeyond(settings.releases, only: only), isDry, &freed)
        if only == nil {
            let time = Timestamp(
                milliseconds: Timestamp.now.milliseconds &- Int64(min(settings.recordAge, 1 << 50)))
            freed.records = try await store.forgetRecords(before: time, count: isDry)
            freed.records += try await store.forgetAudit(
                beyond: settings.audit, before: settings.auditEnd, isDry: isDry)
        }
        if !isDry { try await leftovers.remove() }
        return freed
    }

    /// By what is there: a release whose logs went is not asked about again.
    private func pruneLogs(
        _ held: Set<String>, _ settings: RetentionSettings, _ only: ServiceName?, _ isDry: Bool,
        _ freed: inout Freed
    ) async throws {
        let home = home
        var rest: [(path: String, name: String, age: Int64)] = []
        for environment in try await store.environments(of: only) {
            let target = environment.target
            let logs = try await Blocking.run { Retention.logs(of: target, home) }
            let held = Set(logs.map(\.number).filter { held.contains("\(target)/\($0)") })
            let doomed = Set(RetentionPlan.logs(logs, held: held, settings: settings))
            for number in doomed.sorted() { try await remove(logs: target, number, isDry, &freed) }
            let left = logs.filter { !doomed.contains($0.number) && !held.contains($0.number) }
            rest += left.sorted { $0.number > $1.number }.dropFirst(RetentionSettings.least).map {
                (home.release(target, $0.number), "\(target)/\($0.number)", $0.age)
            }
        }
        guard settings.logBytes < .max, only == nil, !rest.isEmpty else { return }
        // Too many bytes in all: the oldest go first, whatever their number.
        var total = try await Blocking.run { StorageSizes(home).logs }
        for log in rest.sorted(by: { $0.age > $1.age }) where total > Int64(settings.logBytes) {
            let size = try await Blocking.run {
                let size = StorageSizes.tree(log.path)
                if !isDry { try Files.removeTree(log.path) }
                return size
            }
            total &-= size
            freed.add("logs", log.name, size)
        }
    }

    private func remove(logs target: Target, _ number: Int, _ isDry: Bool, _ freed: inout Freed) async throws
    {
        let directory = home.release(target, number)
        let size = try await Blocking.run {
            let size = StorageSizes.tree(directory)
            if !isDry { try Files.removeTree(directory) }
            return size
        }
        freed.add("logs", "\(target)/\(number)", size)
    }

    private static func logs(of target: Target, _ home: Home) -> [(number: Int, age: Int64)] {
        let directory = "\(home.directory(target))/releases"
        return ((try? Files.list(directory)) ?? []).compactMap { name in
            var status = stat()
            guard let number = Int(name), stat("\(directory)/\(name)", &status) == 0 else { return nil }
            return (number, Timestamp.now.milliseconds &- Int64(status.st_mtim.tv_sec) &* 1000)
        }
    }

    private func pruneCaches(
        _ settings: RetentionSettings, _ only: ServiceName?, _ isDry: Bool, _ freed: inout Freed
    ) async throws {
        struct Cache: Sendable { let path, name: String; let age, bytes: Int64 }
        var caches: [Cache] = []
        let home = home
        for environment in try await store.environments(of: only) {
            let target = environment.target
            // A build may be about to copy it.
            guard try await store.openReleases(target).isEmpty else { continue }
            caches += try await Blocking.run {
                let directory = home.cache(target)
                return ((try? Files.list(directory)) ?? []).compactMap { name in
                    var status = stat()
                    // Its change is the rename by which the last build kept it; the other times are its contents'.
                    guard lstat("\(directory)/\(name)", &status) == 0 else { return nil }
                    return Cache(
                        path: "\(directory)/\(name)", name: "\(target) \(name)",
                        age: Timestamp.now.milliseconds &- Int64(status.st_ctim.tv_sec) &* 1000,
                        bytes: StorageSizes.tree("\(directory)/\(name)"))
                }
            }
        }
        for service in try await store.services() where only == nil || only == service.name {
            // A deploy may be about to check it out.
            var isIdle = true
            for environment in try await store.environments(of: service.name) where isIdle {
                isIdle = try await store.openReleases(environment.target).isEmpty
            }
            guard isIdle else { continue }
            caches += try await Blocking.run {
                let directory = home.submodules(service.name)
                return ((try? Files.list(directory)) ?? []).compactMap { name in
                    let path = "\(directory)/\(name)"
                    var status = stat()
                    guard lstat(path, &status) == 0 else { return nil }
                    let address = (try? Files.read("\(path)/description", limit: 4096)).map {
                        String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .newlines)
                    }
                    return Cache(
                        path: path, name: "\(service.name) submodule \(address ?? name)",
                        age: Timestamp.now.milliseconds &- Int64(status.st_mtim.tv_sec) &* 1000,
                        bytes: StorageSizes.tree(path))
                }
            }
        }
        var total = caches.reduce(Int64(0)) { $0 &+ $1.bytes }
        for cache in caches.sorted(by: { $0.age > $1.age })
        where cache.age > Int64(settings.cacheAge)
            || total > Int64(settings.cacheBytes) && cache.age >= Int64(settings.recent)
        {
            if !isDry { try await Blocking.run { try Files.removeTree(cache.path) } }
            total &-= cache.bytes
            freed.add("cache", cache.name, cache.bytes)
        }
    }

    private func pruneHistory(_ releases: [Release], _ isDry: Bool, _ freed: inout Freed) async throws {
        guard !releases.isEmpty else { return }
        let gone =
            isDry ? releases.filter { $0.artifact?.available != true } : try await store.forget(releases)
        for release in gone {
            freed.add("release", release.upstream, 0)
            guard !isDry else { continue }
            let directory = home.release(release.target, release.number)
            try await Blocking.run { try Files.removeTree(directory) }
            guard let service = try await store.service(release.target.service) else { continue }
            let path = service.source == .remote ? home.repository(service.name) : service.repository
            let name = "\(release.target.environment)/\(release.number)"
            // A commit that nothing else names may be collected then.
            try? await git.run { try GitRepository(opening: path).unpin(name) }
        }
    }
}
