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
    /// Says what this host lacks for a release: memory, a proxy that answers, certificates.
    let examineHost: @Sendable (Manifest, Target) async -> [Warning]

    public init(
        home: Home, store: Store, git: GitExecutor, artifacts: ArtifactStore, jobs: any JobRunner,
        fetcher: any RemoteFetcher, environment: ProcessEnvironment, containment: Containment = Containment(),
        floor: FreeSpaceFloor, builds: Slots, deadlines: Deadlines,
        checkAddresses: @escaping @Sendable (Manifest, Target) async throws -> Void,
        examineHost: @escaping @Sendable (Manifest, Target) async -> [Warning] = { _, _ in [] }
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
        self.examineHost = examineHost
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
        defer { fetched.foreseen?.cancel() }
        let artifact = try await artifact(of: fetched, recorder)
        let prepared = Prepared(
            manifest: fetched.manifest, directory: artifact.path, config: fetched.config)
        // A release command may still make what is started.
        if prepared.manifest.release == nil { try await requireStart(prepared, fetched.release) }
        try await runReleaseCommand(prepared, fetched.release, recorder)
        if prepared.manifest.release != nil { try await requireStart(prepared, fetched.release) }
        try await indexSite(artifact, prepared.manifest, recorder)
        return prepared
    }

    private func requireStart(_ prepared: Prepared, _ release: Release) async throws {
        let variables = environment.service(release, prepared.manifest, config: prepared.config)
        try await Blocking.run {
            try StartCheck.require(prepared.manifest, in: prepared.directory, environment: variables)
        }
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
            try await tell(fetched.foreseen, isBuilt: false, recorder)
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
            try await tell(fetched.foreseen, isBuilt: true, recorder)
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
        if release.trigger == .promote, let commit = release.commit {
            try await refuseRepeated(release, commit, config: config)
        }
        try await preflight(manifest, release.target, config: config)
        try await recorder.facts { $0.config = config }
        await recorder.log(.step("Taking artifact \(recorded.sha256.prefix(12)) as it is, no build"))
        let prepared = Prepared(manifest: manifest, directory: artifact.path, config: config)
        if release.trigger == .promote {
            try await keepCommit(of: release)
            // It ran where the artifact comes from, and not here.
            try await runReleaseCommand(prepared, release, recorder)
        }
        try await indexSite(artifact, manifest, recorder)
        return prepared
    }

    /// Also when the environment that a promotion comes from goes, and its branch. What runs needs none of it, so a commit that is
    /// gone already is no reason to fail.
    private func keepCommit(of release: Release) async throws {
        guard let commit = release.commit, let service = try await store.service(release.target.service)
        else { return }
        let (path, name) = (
            repository(of: service), "\(release.target.environment)/\(release.number)"
        )
        _ = try? await git.run { try GitRepository(opening: path).pin(commit, name: name) }
        try Task.checkCancellation()
    }

    /// Where its commits are, on this host.
    func repository(of service: RegisteredService) -> String {
        service.source == .remote ? home.repository(service.name) : service.repository
    }
}
