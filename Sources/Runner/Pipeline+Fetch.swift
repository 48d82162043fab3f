// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// The commit of a release and its settings: fetched, read, and found fit.
extension Pipeline {
    /// A release whose commit and settings are known.
    struct Fetched {
        var release: Release
        let commit: CommitID
        let manifest: Manifest
        let config: [String: String]
        /// Of the repository.
        let path: String
        /// By their paths.
        let submodules: [String: Submodule]
        /// nil: an earlier server saw to it.
        var foreseen: Foreseen?
    }

    func fetch(_ release: Release, _ recorder: ReleaseRecorder) async throws -> Fetched {
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
        let manifest = try await settings(commit.id, in: path, of: service, release)
        try await tellUnknown(manifest, of: service, recorder)
        try await refuseUnaffected(release, commit.id, manifest, service.settingsPath, in: path)
        try await preflight(manifest, release.target, config: config)
        try Fault.settingsRead.reach()
        try await recorder.facts { $0.manifest = manifest }
        var release = release
        release.commit = commit.id
        let submodules = try await submodules(commit.id, manifest, service, release)
        return Fetched(
            release: release, commit: commit.id, manifest: manifest, config: config, path: path,
            submodules: submodules,
            foreseen: foresee(commit.id, manifest, release.target, in: path))
    }

    private func submodules(
        _ commit: CommitID, _ manifest: Manifest, _ service: RegisteredService, _ release: Release
    ) async throws -> [String: Submodule] {
        guard manifest.git?.submodules == true else { return [:] }
        let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
        return try await Submodules(
            fetcher: fetcher, git: git, service: service,
            isOfFork: PullReference.number(release.branch) != nil
        ).fetch(commit, in: repository(of: service)) { log.append($0) }
    }

    /// A name that is written wrong would be noticed by nobody.
    private func tellUnknown(
        _ manifest: Manifest, of service: RegisteredService, _ recorder: ReleaseRecorder
    ) async throws {
        let known = try await store.environments(of: service.name).map(\.target.environment.description)
        for name in manifest.overridden ?? [] where !known.contains(name) {
            // Of environments that come and go.
            if name == Preview.settings, service.previews != nil { continue }
            await recorder.log(
                .trouble(
                    "\(service.settingsPath) has settings for '\(name)', and \(service.name) has no such environment: \(known.joined(separator: ", "))"
                ))
        }
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
                    hints: PullReference.number(branch) != nil
                        ? [] : [.init("push it", command: "git push kinto \(branch)")])
            }
            let commit = wanted ?? tip
            if commit != tip, try !repository.isAncestor(commit, of: tip) {
                throw Pipeline.unreachable(commit, release)
            }
            try Fault.fetching.reach()
            try repository.pin(commit, name: name)
            return try repository.commitInfo(commit)
        }
        return (path, commit)
    }

    /// A trigger never goes back: what is live and everything before it is not deployed by one.
    func refuseOlder(_ commit: CommitID, _ release: Release, in path: String) async throws {
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

    func settings(
        _ commit: CommitID, in path: String, of service: RegisteredService, _ release: Release
    ) async throws -> Manifest {
        let environment = release.target.environment.description
        var manifest = try await git.run {
            try ManifestReader.read(
                commit, repository: GitRepository(opening: path), path: service.settingsPath,
                environment: environment
            ).get()
        }
        // A stranger takes no address of this server's: it is reached by its environment's own name.
        if PullReference.number(release.branch) != nil { (manifest.hosts, manifest.port) = ([], nil) }
        return manifest
    }

    func preflight(_ manifest: Manifest, _ target: Target, config: [String: String]) async throws {
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
