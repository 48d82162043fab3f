// SPDX-License-Identifier: Apache-2.0
public import KintoCore

/// What is said before a build, and what a deploy would do.
extension Pipeline {
    /// Warnings that are on their way while the commit is checked out.
    struct Foreseen: Sendable {
        let source, host: Task<[Warning], Never>

        func cancel() {
            source.cancel()
            host.cancel()
        }
    }

    func foresee(_ commit: CommitID, _ manifest: Manifest, _ target: Target, in path: String) -> Foreseen {
        Foreseen(
            source: Task { await sourceWarnings(commit, manifest, in: path) },
            host: Task { await examineHost(manifest, target) })
    }

    /// Tells what was foreseen, and keeps it with the release.
    /// - Parameter isBuilt: else its sources were built before, and warned of then.
    func tell(_ foreseen: Foreseen?, isBuilt: Bool, _ recorder: ReleaseRecorder) async throws {
        guard let foreseen else { return }
        if !isBuilt { foreseen.source.cancel() }
        let warnings = (isBuilt ? await foreseen.source.value : []) + (await foreseen.host.value)
        for line in warnings.flatMap(\.lines) { await recorder.log(line) }
        if !warnings.isEmpty { try await recorder.facts { $0.warnings = Warning.kept(warnings) } }
    }

    /// What will fail, or may.
    func warnings(_ commit: CommitID, _ manifest: Manifest, _ target: Target, in path: String) async
        -> [Warning]
    {
        await sourceWarnings(commit, manifest, in: path) + (await examineHost(manifest, target))
    }

    /// Never fails itself: a warning that cannot be made is none.
    private func sourceWarnings(_ commit: CommitID, _ manifest: Manifest, in path: String) async -> [Warning]
    {
        var limits = SourceTree.Limits()
        limits.time = .seconds(1)
        let foreseen = try? await git.run { [limits] in
            let tree = try GitRepository(opening: path).sourceTree(
                commit, root: manifest.root, limits: limits)
            return Foresight(manifest, tree).warnings
        }
        return foreseen ?? []
    }

    /// What a release of a commit would meet, as far as it is known now. Nothing is written.
    public struct Outlook: Sendable {
        public var commit: CommitInfo
        /// Why it would not be deployed though nothing fails, and the release that is the reason.
        public var superseded: Superseded?
        /// What would fail before the build.
        public var failure: Failure?
        public var manifest: Manifest?
        /// A release whose artifact would be taken; nil: it is built.
        public var reused: Int?
        public var warnings: [Warning] = []
    }

    /// - Parameter release: not accepted; with the commit, which the repository has.
    /// - Throws: `Failure` of a repository that cannot be read.
    public func outlook(_ release: Release, _ commit: CommitID, of service: RegisteredService) async throws
        -> Outlook
    {
        let path = repository(of: service)
        var outlook = Outlook(
            commit: try await git.run { try GitRepository(opening: path).commitInfo(commit) })
        let config = try await store.config(release.target)
        do {
            if service.source != .remote {
                try await git.run {
                    let repository = try GitRepository(opening: path)
                    if let tip = try repository.resolve(RefName.full(release.branch)), tip != commit,
                        try !repository.isAncestor(commit, of: tip)
                    {
                        throw Pipeline.unreachable(commit, release)
                    }
                }
            }
            try await refuseOlder(commit, release, in: path)
            let manifest = try await settings(commit, in: path, of: service, release)
            outlook.manifest = manifest
            outlook.warnings = await warnings(commit, manifest, release.target, in: path)
            if let low = floor.warning { outlook.warnings.append(low) }
            if !release.noCache {
                let key = try await buildKey(release, commit, manifest, config: config, in: path)
                outlook.reused = try await store.built(release.target, key: key)?.number
            }
            try await preflight(manifest, release.target, config: config)
        } catch let superseded as Superseded {
            outlook.superseded = superseded
        } catch let failure as Failure {
            outlook.failure = failure
        }
        return outlook
    }

    static func unreachable(_ commit: CommitID, _ release: Release) -> Failure {
        Failure(
            stage: .fetch, code: "commit-unreachable",
            "commit \(commit.short) is not part of \(RefName.words(release.branch)) any more",
            hints: [.init("deploy it as it is", command: "kinto deploy \(release.target.words)")])
    }

    /// Whether a commit is in the repository of a service already.
    public func holds(_ commit: CommitID, _ service: RegisteredService) async -> Bool {
        let path = repository(of: service)
        return (try? await git.run { try GitRepository(opening: path).holds(commit) }) ?? false
    }
}
