// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
public import KintoCore
internal import Wire

/// From an accepted release to an artifact that can be rolled out: fetch, settings, build, store.
public struct Pipeline: Sendable {
    let home: Home
    let store: Store
    let git: GitExecutor
    let artifacts: ArtifactStore
    let builder: Builder
    let fetcher: any RemoteFetcher
    let environment: ProcessEnvironment
    let floor: FreeSpaceFloor
    /// Builds side by side; see `Slots`.
    public let builds: Slots
    let deadlines: Deadlines
    /// Refuses a stable port or a host name that someone else has.
    let checkAddresses: @Sendable (Manifest, Target) async throws -> Void

    public init(
        home: Home, store: Store, git: GitExecutor, artifacts: ArtifactStore, jobs: any JobRunner,
        fetcher: any RemoteFetcher, environment: ProcessEnvironment, containment: Containment = Containment(),
        floor: FreeSpaceFloor, builds: Slots, deadlines: Deadlines,
        checkAddresses: @escaping @Sendable (Manifest, Target) async throws -> Void
    ) {
        self.home = home
        self.store = store
        self.git = git
        self.artifacts = artifacts
        builder = Builder(home: home, jobs: jobs, containment: containment, floor: floor)
        self.fetcher = fetcher
        self.environment = environment
        self.floor = floor
        self.builds = builds
        self.deadlines = deadlines
        self.checkAddresses = checkAddresses
    }

    /// What a release runs: its settings and the directory of its artifact.
    public struct Prepared: Sendable {
        public var manifest: Manifest
        public var directory: String
        public var config: [String: String]

        public init(manifest: Manifest, directory: String, config: [String: String]) {
            self.manifest = manifest
            self.directory = directory
            self.config = config
        }
    }

    /// Why a release is not deployed though nothing failed.
    public struct Superseded: Error {
        public let by: Int
        public let reason: String
    }

    /// Where a stored artifact lies.
    public func directory(of artifact: Release.Artifact) -> String { artifacts.tree(artifact.identifier) }

    /// - Throws: `Failure`, `CancellationError`, or `Superseded` when what is live contains the commit already.
    public func prepare(_ release: Release, _ recorder: ReleaseRecorder) async throws -> Prepared {
        let prepared =
            release.trigger.isDeploy
            ? try await build(release, recorder) : try await takeOver(release, recorder)
        for notice in prepared.manifest.unsupported { await recorder.log(.trouble(notice)) }
        return prepared
    }

    /// A commit of the tracked branch. Each part is done once: what an earlier server recorded of this release is gone on
    /// from.
    private func build(_ release: Release, _ recorder: ReleaseRecorder) async throws -> Prepared {
        let fetched = try await fetch(release, recorder)
        let artifact = try await artifact(of: fetched, recorder)
        let prepared = Prepared(
            manifest: fetched.manifest, directory: artifact.path, config: fetched.config)
        try await runReleaseCommand(prepared, fetched.release, recorder)
        return prepared
    }

    /// A name that is written wrong would be noticed by nobody.
    private func tellUnknown(
        _ manifest: Manifest, of service: RegisteredService, _ recorder: ReleaseRecorder
    ) async throws {
        let known = try await store.environments(of: service.name).map(\.target.environment.description)
        for name in manifest.overridden ?? [] where !known.contains(name) {
            await recorder.log(
                .trouble(
                    "\(service.settingsPath) has settings for '\(name)', and \(service.name) has no such environment: \(known.joined(separator: ", "))"
                ))
        }
    }

    /// A release whose commit and settings are known.
    private struct Fetched {
        var release: Release
        let commit: CommitID
        let manifest: Manifest
        let config: [String: String]
        /// Of the repository.
        let path: String
        /// By their paths.
        let submodules: [String: Submodule]
    }

    private func fetch(_ release: Release, _ recorder: ReleaseRecorder) async throws -> Fetched {
        try await recorder.enter(.fetch)
        guard let service = try await store.service(release.target.service) else {
            throw Failure(stage: .fetch, code: "unknown-service", "the service was removed")
        }
        if let commit = release.commit, let manifest = release.manifest, let config = release.config {
            try await preflight(manifest, release.target, config: config)
            return Fetched(
                release: release, commit: commit, manifest: manifest, config: config,
                path: repository(of: service),
                submodules: release.artifact == nil
                    ? try await submodules(commit, manifest, service, release) : [:])
        }
        let (path, commit) = try await source(service, release, recorder)
        try Fault.fetched.reach()
        try await refuseOlder(commit.id, release, in: path)
        let config = try await store.config(release.target)
        try await recorder.facts { release in
            release.commit = commit.id
            release.subject = commit.subject
            release.author = commit.authorName
            release.config = config
        }
        try await refuseRepeated(release, commit.id, config: config)
        await recorder.log(.step("Fetched \(commit.id.short) \(commit.subject)"))
        let manifest = try await settings(commit.id, in: path, of: service, release.target)
        try await tellUnknown(manifest, of: service, recorder)
        try await refuseUnaffected(release, commit.id, manifest, service.settingsPath, in: path)
        try await preflight(manifest, release.target, config: config)
        try Fault.settingsRead.reach()
        try await recorder.facts { $0.manifest = manifest }
        var release = release
        release.commit = commit.id
        return Fetched(
            release: release, commit: commit.id, manifest: manifest, config: config, path: path,
            submodules: try await submodules(commit.id, manifest, service, release))
    }

    private func submodules(
        _ commit: CommitID, _ manifest: Manifest, _ service: RegisteredService, _ release: Release
    ) async throws -> [String: Submodule] {
        guard manifest.git?.submodules == true else { return [:] }
        let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
        return try await Submodules(fetcher: fetcher, git: git, service: service).fetch(
            commit, in: repository(of: service)
        ) { log.append($0) }
    }

    /// What the release is started from: stored by an earlier server, or built now.
    private func artifact(of fetched: Fetched, _ recorder: ReleaseRecorder) async throws -> Artifact {
        let (release, artifacts) = (fetched.release, artifacts)
        if let recorded = release.artifact {
            let artifact = Artifact(recorded, in: artifacts)
            if (try? await Blocking.run({ try artifacts.verify(artifact) })) != nil { return artifact }
        } else if let kept = try await reused(
            release, fetched.commit, fetched.manifest, config: fetched.config, in: fetched.path, recorder)
        {
            return kept
        }
        let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
        // That it waits for others is no fault of the step before.
        await deadlines.leave(release.id)
        return try await builds.with(release, tell: { log.append(.detail($0)) }) {
            try await make(fetched, recorder)
        }
    }

    /// Checkout, build, store.
    private func make(_ fetched: Fetched, _ recorder: ReleaseRecorder) async throws -> Artifact {
        let artifacts = artifacts
        let place = BuildPlace(home, fetched.release, user: builder.containment.buildUser)
        let access = ArtifactAccess(containment: builder.containment)
        try await recorder.enter(.build)
        try await floor.check()
        try await built(fetched, at: place, recorder)

        try await recorder.enter(.store)
        let stored = try await Blocking.run { () throws -> ArtifactStore.Stored in
            // Named by a server that died before it could record it.
            if let kept = try artifacts.stored(place.artifact) { return .init(artifact: kept, warnings: []) }
            let output = try place.output(fetched.manifest)
            try access.take(output, isBuilt: fetched.manifest.build.command != nil)
            return try artifacts.store(output, id: place.artifact)
        }
        let artifact = stored.artifact
        for warning in stored.warnings { await recorder.log(.trouble(warning)) }
        let key = try await buildKey(
            fetched.release, fetched.commit, fetched.manifest, config: fetched.config, in: fetched.path)
        try await recorder.facts { release in
            release.buildKey = key
            release.artifact = Release.Artifact(
                identifier: artifact.id, sha256: artifact.sha256, bytes: Int64(artifact.bytes))
        }
        await recorder.log(
            .step(
                "Stored \(artifact.files) files, \(artifact.bytes) bytes, sha256 \(artifact.sha256.prefix(12))"
            ))
        try? await Blocking.run { try place.remove() }
        return artifact
    }

    private func built(_ fetched: Fetched, at place: BuildPlace, _ recorder: ReleaseRecorder) async throws {
        var release = fetched.release
        let manifest = fetched.manifest
        // Of a build that came to its end something must be left: else it is made again.
        if let job = release.jobs["build"], !job.supervisor.isRunning, (try? place.output(manifest)) == nil,
            try artifacts.stored(place.artifact) == nil
        {
            release.jobs["build"] = nil
        }
        try await builder.build(
            release, manifest, at: place,
            environment: environment.build(release, manifest, config: fetched.config),
            secrets: ProcessEnvironment.secrets(fetched.config), recorder
        ) {
            let artifacts = artifacts
            try await Blocking.run {
                try artifacts.remove(place.artifact)
                try place.remove()
                try Files.makeDirectories(Files.parent(of: place.workspace))
            }
            let fileBytes = fetcher.limits.fileBytes
            let extracted = try await git.run { cancellation in
                try TreeExtractor(repository: fetched.path).extract(
                    fetched.commit, submodules: fetched.submodules, to: place.workspace,
                    limits: .init(fileBytes: fileBytes), cancellation: cancellation)
            }
            for warning in extracted.warnings { await recorder.log(.trouble(warning)) }
            _ = try place.root(manifest)
        }
    }

    /// An artifact that is there: rollback, configuration change and promotion.
    private func takeOver(_ release: Release, _ recorder: ReleaseRecorder) async throws -> Prepared {
        try await recorder.enter(.store)
        guard let recorded = release.artifact, let manifest = release.manifest else {
            throw Failure(
                stage: .store, code: "artifact-missing", "the earlier release has no stored artifact")
        }
        let artifacts = artifacts
        let artifact = Artifact(recorded, in: artifacts)
        try await Blocking.run { try artifacts.verify(artifact) }
        let config: [String: String] =
            if let kept = release.config { kept } else { try await store.config(release.target) }
        try await preflight(manifest, release.target, config: config)
        try await recorder.facts { $0.config = config }
        await recorder.log(.step("Taking artifact \(recorded.sha256.prefix(12)) as it is, no build"))
        let prepared = Prepared(manifest: manifest, directory: artifact.path, config: config)
        // It ran where the artifact comes from, and not here.
        if release.trigger == .promote { try await runReleaseCommand(prepared, release, recorder) }
        return prepared
    }

    /// Where its commits are, on this host.
    private func repository(of service: RegisteredService) -> String {
        service.source == .remote ? home.repository(service.name) : service.repository
    }

    private func source(
        _ service: RegisteredService, _ release: Release, _ recorder: ReleaseRecorder
    ) async throws -> (path: String, commit: CommitInfo) {
        let path = repository(of: service)
        var head: CommitID?
        if service.source == .remote {
            // Without a password of the address: the log takes it out.
            await recorder.log(.step("Fetching \(release.branch) from \(service.repository)"))
            let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
            head = try await fetcher.fetch(service, branch: release.branch) { log.append($0) }
        }
        let (branch, wanted, name) = (
            release.branch, release.commit, "\(release.target.environment)/\(release.number)"
        )
        let commit = try await git.run { [head] in
            let repository = try GitRepository(opening: path)
            guard let tip = try head ?? repository.resolve(RefName.full(branch)) else {
                throw Failure(
                    stage: .fetch, code: "branch-missing",
                    "the repository has no \(RefName.words(branch))",
                    hints: [.init("push it", command: "git push kinto \(branch)")])
            }
            let commit = wanted ?? tip
            if commit != tip, try !repository.isAncestor(commit, of: tip) {
                throw Failure(
                    stage: .fetch, code: "commit-unreachable",
                    "commit \(commit.short) is not part of \(RefName.words(branch)) any more",
                    hints: [.init("deploy it as it is", command: "kinto deploy \(release.target.words)")])
            }
            try Fault.fetching.reach()
            try repository.pin(commit, name: name)
            return try repository.commitInfo(commit)
        }
        return (path, commit)
    }

    /// A trigger never goes back: what is live and everything before it is not deployed by one.
    private func refuseOlder(_ commit: CommitID, _ release: Release, in path: String) async throws {
        guard let live = try await store.live(release.target), let current = live.commit, current != commit
        else { return }
        // Another branch of a pattern is not older, whatever it contains. Of tags their commits tell.
        if live.branch != release.branch, !RefName.isTag(release.branch),
            try await store.environment(release.target)?.pattern.isExact == false
        {
            return
        }
        let older = try await git.run { () -> Bool in
            let repository = try GitRepository(opening: path)
            // The live commit may have been force-pushed away and collected: then nothing is known to be older.
            return (try? repository.isAncestor(commit, of: current)) ?? false
        }
        if older {
            throw Superseded(
                by: live.number,
                reason: "\(commit.short) is an ancestor of what is live (release \(live.number))")
        }
    }

    private func settings(
        _ commit: CommitID, in path: String, of service: RegisteredService, _ target: Target
    )
        async throws -> Manifest
    {
        let environment = target.environment.description
        return try await git.run {
            try ManifestReader.read(
                commit, repository: GitRepository(opening: path), path: service.settingsPath,
                environment: environment
            ).get()
        }
    }

    private func preflight(_ manifest: Manifest, _ target: Target, config: [String: String]) async throws {
        let missing = manifest.requires.filter { config[$0] == nil && manifest.env[$0] == nil }
        if !missing.isEmpty {
            throw Failure(
                stage: .fetch, code: "variables-missing",
                "required variables are not set: \(missing.joined(separator: ", "))",
                hints: [
                    .init(
                        "set them",
                        command:
                            "kinto config \(target.words) set \(missing.map { "\($0)=…" }.joined(separator: " "))"
                    )
                ])
        }
        try await checkAddresses(manifest, target)
    }
}
