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
    /// Refuses a stable port that someone else holds.
    let checkPort: @Sendable (UInt16, Target) async throws -> Void

    public init(
        home: Home, store: Store, git: GitExecutor, artifacts: ArtifactStore, jobs: any JobRunner,
        fetcher: any RemoteFetcher, environment: ProcessEnvironment,
        checkPort: @escaping @Sendable (UInt16, Target) async throws -> Void
    ) {
        self.home = home
        self.store = store
        self.git = git
        self.artifacts = artifacts
        builder = Builder(home: home, jobs: jobs)
        self.fetcher = fetcher
        self.environment = environment
        self.checkPort = checkPort
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

    /// A commit of the tracked branch.
    private func build(_ release: Release, _ recorder: ReleaseRecorder) async throws -> Prepared {
        try await recorder.enter(.fetch)
        guard let service = try await store.service(release.target.service) else {
            throw Failure(stage: .fetch, code: "unknown-service", "the service was removed")
        }
        let (path, commit) = try await source(service, release, recorder)
        try await refuseOlder(commit.id, than: release.target, in: path, trigger: release.trigger)
        let config = try await store.config(release.target)
        try await recorder.facts { release in
            release.commit = commit.id
            release.subject = commit.subject
            release.author = commit.authorName
            release.config = config
        }
        await recorder.log(.step("Fetched \(commit.id.short) \(commit.subject)"))
        let manifest = try await settings(commit.id, in: path, target: release.target)
        try await preflight(manifest, release.target, config: config)
        try await recorder.facts { $0.manifest = manifest }
        var release = release
        release.commit = commit.id

        try await recorder.enter(.build)
        let workspace = home.workspace(release.target, release.number)
        try Files.removeTree(workspace)
        try Files.makeDirectories(Files.parent(of: workspace))
        let extracted = try await git.run { cancellation in
            try TreeExtractor(repository: path).extract(commit.id, to: workspace, cancellation: cancellation)
        }
        for warning in extracted.warnings { await recorder.log(.trouble(warning)) }
        let directory = manifest.root == "." ? workspace : "\(workspace)/\(manifest.root)"
        guard Files.isDirectory(directory) else {
            throw Failure(
                stage: .build, code: "root-missing",
                "the commit has no directory '\(manifest.root)' (root in kinto.json)")
        }
        if let command = manifest.build.command { await recorder.log(.step("Building: \(command)")) }
        try await builder.build(
            release, manifest, in: directory,
            environment: environment.build(release, manifest, config: config),
            secrets: ProcessEnvironment.secrets(config))

        try await recorder.enter(.store)
        let output = manifest.build.output == "." ? directory : "\(directory)/\(manifest.build.output)"
        guard Files.isDirectory(output) else {
            throw Failure(
                stage: .store, code: "output-missing",
                "the build made no directory '\(manifest.build.output)' (build.output in kinto.json)")
        }
        let identifier = "\(release.target.service).\(release.target.environment).\(release.number)"
        let artifacts = artifacts
        let stored = try await Blocking.run {
            try artifacts.remove(identifier)
            return try artifacts.store(output, id: identifier)
        }
        let artifact = stored.artifact
        for warning in stored.warnings { await recorder.log(.trouble(warning)) }
        try await recorder.facts { release in
            release.artifact = Release.Artifact(
                identifier: identifier, sha256: artifact.sha256, bytes: Int64(artifact.bytes))
        }
        await recorder.log(
            .step(
                "Stored \(artifact.files) files, \(artifact.bytes) bytes, sha256 \(artifact.sha256.prefix(12))"
            ))
        try? await Blocking.run { try Files.removeTree(workspace) }
        try await releaseCommand(release, manifest, directory: artifact.path, config: config, recorder)
        return Prepared(manifest: manifest, directory: artifact.path, config: config)
    }

    /// An artifact that is there: rollback and configuration change.
    private func takeOver(_ release: Release, _ recorder: ReleaseRecorder) async throws -> Prepared {
        try await recorder.enter(.store)
        guard let recorded = release.artifact, let manifest = release.manifest else {
            throw Failure(
                stage: .store, code: "artifact-missing", "the earlier release has no stored artifact")
        }
        let artifacts = artifacts
        let artifact = Artifact(
            id: recorded.identifier, sha256: recorded.sha256, bytes: Int(recorded.bytes), files: 0,
            path: artifacts.tree(recorded.identifier))
        try await Blocking.run { try artifacts.verify(artifact) }
        let config: [String: String] =
            if let kept = release.config { kept } else { try await store.config(release.target) }
        try await preflight(manifest, release.target, config: config)
        try await recorder.facts { $0.config = config }
        await recorder.log(.step("Taking artifact \(recorded.sha256.prefix(12)) as it is, no build"))
        return Prepared(manifest: manifest, directory: artifact.path, config: config)
    }

    private func source(
        _ service: RegisteredService, _ release: Release, _ recorder: ReleaseRecorder
    ) async throws -> (path: String, commit: CommitInfo) {
        let path: String
        var head: CommitID?
        switch service.source {
        case .hosted, .local: path = service.repository
        case .remote:
            path = home.repository(service.name)
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
            guard let tip = try head ?? repository.resolve("refs/heads/\(branch)") else {
                throw Failure(
                    stage: .fetch, code: "branch-missing", "the repository has no branch '\(branch)'",
                    hints: [.init("push it", command: "git push kinto \(branch)")])
            }
            let commit = wanted ?? tip
            if commit != tip, try !repository.isAncestor(commit, of: tip) {
                throw Failure(
                    stage: .fetch, code: "commit-unreachable",
                    "commit \(commit.short) is not part of branch '\(branch)' any more",
                    hints: [.init("deploy the branch as it is", command: "kinto deploy \(service.name)")])
            }
            try repository.pin(commit, name: name)
            return try repository.commitInfo(commit)
        }
        return (path, commit)
    }

    /// A trigger never goes back: what is live and everything before it is not deployed by one.
    private func refuseOlder(
        _ commit: CommitID, than target: Target, in path: String, trigger: Release.Trigger
    ) async throws {
        guard let live = try await store.live(target), let current = live.commit, current != commit else {
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

    private func settings(_ commit: CommitID, in path: String, target: Target) async throws -> Manifest {
        let environment = target.environment.description
        return try await git.run {
            try ManifestReader.read(
                commit, repository: GitRepository(opening: path), environment: environment
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
                            "kinto config \(target.service) set \(missing.map { "\($0)=…" }.joined(separator: " "))"
                    )
                ])
        }
        if let port = manifest.port { try await checkPort(port, target) }
    }

    private func releaseCommand(
        _ release: Release, _ manifest: Manifest, directory: String, config: [String: String],
        _ recorder: ReleaseRecorder
    ) async throws {
        guard let command = manifest.release else { return }
        await recorder.log(.step("Release command: \(command.command)"))
        try await builder.run(
            command.command, name: "release", stage: .store, release: release, in: directory,
            environment: environment.service(release, manifest, config: config),
            secrets: ProcessEnvironment.secrets(config), timeout: command.timeout, silence: nil)
    }
}
