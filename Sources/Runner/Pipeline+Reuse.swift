// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// What need not be built, and what need not be deployed.
extension Pipeline {
    /// The artifact of an earlier release that was built from the same tree with the same settings, was live, and is as
    /// it was stored.
    /// - Returns: nil when it has to be built.
    func reused(
        _ release: Release, _ commit: CommitID, _ manifest: Manifest, config: [String: String],
        in path: String, _ recorder: ReleaseRecorder
    ) async throws -> Artifact? {
        guard !release.noCache else { return nil }
        let key = try await buildKey(release, commit, manifest, config: config, in: path)
        guard let earlier = try await store.built(release.target, key: key), let artifact = earlier.artifact
        else { return nil }
        try await recorder.enter(.store)
        // It is this release's, too, before it is looked at: whatever removes old artifacts sees that.
        try await recorder.facts { $0.artifact = artifact }
        let (artifacts, kept) = (
            artifacts,
            Artifact(
                id: artifact.identifier, sha256: artifact.sha256, bytes: Int(artifact.bytes), files: 0,
                path: artifacts.tree(artifact.identifier))
        )
        do { try await Blocking.run { try artifacts.verify(kept) } } catch let failure as Failure {
            await recorder.log(
                .trouble(
                    "The artifact of release \(earlier.number) cannot be taken, so this is built: \(failure.message)"
                ))
            try await recorder.facts { $0.artifact = nil }
            return nil
        }
        try await recorder.facts { $0.buildKey = key }
        await recorder.log(
            .step("Taking the artifact of release \(earlier.number): same tree and build settings"))
        return kept
    }

    /// What the artifact of a release is built from.
    func buildKey(
        _ release: Release, _ commit: CommitID, _ manifest: Manifest, config: [String: String],
        in path: String
    ) async throws -> String {
        let tree = try await git.run {
            try GitRepository(opening: path).rootTree(of: commit).commitID?.description ?? ""
        }
        return try BuildKey.of(
            tree: tree, manifest, environment: environment.build(release, manifest, config: config))
    }

    /// A push that changed none of the service's `paths` since what is live deploys nothing. Which files those are says the
    /// repository, never what a forge lists.
    func refuseUnaffected(
        _ release: Release, _ commit: CommitID, _ manifest: Manifest, _ settings: String, in path: String
    ) async throws {
        guard !manifest.paths.isEmpty, release.trigger == .push || release.trigger == .webhook,
            !release.force,
            let live = try await store.live(release.target), let current = live.commit,
            try await store.environment(release.target)?.suspended == false
        else { return }
        let filter = PathFilter(manifest.paths)
        let isAffected = try await git.run { () -> Bool in
            let repository = try GitRepository(opening: path)
            // What is live may have been collected after a force push: then everything may have changed.
            guard (try? repository.commitInfo(current)) != nil else { return true }
            // Settings concern the service wherever it lives.
            return try repository.differs(current, commit) { $0 == settings || filter.contains($0) }
        }
        guard !isAffected else { return }
        throw Superseded(
            by: live.number,
            reason:
                "nothing in \(manifest.paths.joined(separator: ", ")) changed since release \(live.number), which stays live"
        )
    }

    /// A deploy of what has become live meanwhile changes nothing, nor does a promotion of the same artifact.
    func refuseRepeated(_ release: Release, _ commit: CommitID, config: [String: String]) async throws {
        guard !release.noCache, !release.force, let live = try await store.live(release.target),
            live.id != release.id, Store.serves(live, commit, config: config),
            release.trigger != .promote
                || live.artifact?.identifier == release.artifact?.identifier
                    && live.manifest == release.manifest,
            try await store.environment(release.target)?.suspended == false
        else { return }
        throw Superseded(by: live.number, reason: Store.alreadyLive(live))
    }
}
