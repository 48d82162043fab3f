// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner
internal import Wire

extension Actions {
    /// What a promotion brings.
    struct Promotion: Sendable {
        /// Where its artifact comes from.
        let from: Release
        /// What is live where it goes; nil: nothing.
        let over: Release?
        let new: NewRelease
        /// Subjects of commits that are new there, newest first.
        let commits: [String]
        let commitCount: Int
        /// Whether it goes back to commits that are older than what is live there.
        let isOlder: Bool
        /// Names of variables in which the two environments differ, and sentences about settings.
        let differences: [String]
    }

    /// The artifact that is live in one environment becomes a release of another, with that one's settings and configuration
    /// and without a build.
    func promote(
        _ service: ServiceName, from: EnvironmentName, to: EnvironmentName, by: String?
    ) async throws -> (Release, Promotion) {
        let plan = try await promotion(service, from: from, to: to)
        var new = plan.new
        new.by = by
        return (try await accept(new), plan)
    }

    /// - Throws: `Failure` of code `unknown-service`, `from-fork`, `nothing-live`, `artifact-missing`, `already-live`,
    ///   `variables-missing`, or that of settings that cannot be read.
    func promotion(_ service: ServiceName, from: EnvironmentName, to: EnvironmentName) async throws
        -> Promotion
    {
        let (source, target) = (
            Target(service: service, environment: from), Target(service: service, environment: to)
        )
        for one in [source, target] { try await require(one) }
        guard source != target else {
            throw Failure(code: "invalid-request", "a promotion goes from one environment to another")
        }
        try await refuseStranger(source, "it gets no secrets, and would get those of \(target)")
        guard let known = try await store.service(service), let live = try await store.live(source),
            let commit = live.commit
        else {
            throw Failure(
                code: "nothing-live", "nothing of \(source) is live: there is nothing to promote",
                hints: [.init("deploy it there first", command: "kinto deploy \(source.words)")])
        }
        guard let artifact = live.artifact, artifact.available else {
            throw Failure(
                code: "artifact-missing",
                "the artifact of release \(live.number) of \(source) is not kept any more",
                hints: [.init("build it again", command: "kinto deploy \(source.words) --no-cache")])
        }
        let (today, current) = (try await store.config(target), try await store.live(target))
        let path = known.source == .remote ? home.repository(service) : known.repository
        let (manifest, history, isOlder) = try await git.run { [settings = known.settingsPath] in
            let repository = try GitRepository(opening: path)
            let manifest = try ManifestReader.read(
                commit, repository: repository, path: settings, environment: to.description
            ).get()
            let history = try repository.commits(since: current?.commit, to: commit, limit: 20)
            let isOlder =
                current?.commit.map { $0 != commit && (try? repository.isAncestor(commit, of: $0)) ?? false }
                ?? false
            return (manifest, history, isOlder)
        }
        let secrets = try await store.variables(source).filter(\.isSecret).map(\.name)
        try refuseMissing(manifest, today, target, secrets: Set(secrets))
        if let current, current.artifact?.identifier == artifact.identifier, current.config == today,
            current.manifest == manifest
        {
            throw Failure(
                code: "already-live",
                "release \(current.number) of \(target) is live with this artifact already")
        }
        var new = NewRelease(target: target, commit: commit, branch: live.branch, trigger: .promote)
        new.artifact = artifact
        new.manifest = manifest
        new.subject = live.subject
        new.author = live.author
        var differences = SettingsChange.marks(from: live.config ?? [:], to: today)
        if let built = live.manifest, built.build != manifest.build {
            differences.append("'build' differs for \(to): the artifact is taken as it was built for \(from)")
        }
        return Promotion(
            from: live, over: current, new: new,
            commits: history.newest.map { "\($0.id.short) \($0.subject)" },
            commitCount: history.count, isOlder: isOlder, differences: differences)
    }

    /// - Parameter secrets: names of those where it comes from.
    private func refuseMissing(
        _ manifest: Manifest, _ config: [String: String], _ target: Target, secrets: Set<String>
    ) throws {
        let missing = manifest.requires.filter { config[$0] == nil && manifest.env[$0] == nil }
        guard !missing.isEmpty else { return }
        throw Failure(
            code: "variables-missing",
            "\(target) lacks variables that are required: \(missing.joined(separator: ", "))",
            hints: [false, true].compactMap { isSecret in
                let names = missing.filter { secrets.contains($0) == isSecret }.map { "\($0)=…" }
                guard !names.isEmpty else { return nil }
                let set = isSecret ? "set --secret" : "set"
                return .init(
                    isSecret ? "set what is secret" : "set them",
                    command: "kinto config \(target.words) \(set) \(names.joined(separator: " "))")
            })
    }
}
