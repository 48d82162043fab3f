// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner
internal import Wire

/// What is different between two states of a service: commits, settings, and names of variables.
struct Comparison: Encodable, Sendable {
    /// One of the two.
    struct Side: Encodable, Sendable {
        /// In words: `release 3`, `branch 'main'`.
        let name: String
        let environment: String
        let release: Int?
        let commit: CommitID?
    }

    struct Commit: Encodable, Sendable {
        let commit: CommitID
        let subject, author, at: String

        init(_ info: CommitInfo) {
            commit = info.id
            subject = info.subject
            author = info.authorName
            at = info.authoredAt.rfc3339
        }
    }

    /// How many commits are named of each side.
    static let most = 20

    let from, to: Side
    /// Commits that only `to` has, newest first.
    let commits: [Commit]
    let commitCount: Int
    /// Commits that only `from` has.
    let missing: [Commit]
    let missingCount: Int
    /// Keys of kinto.json, each after `+` (only `to` has it), `-` or `~`.
    let settings: [String]
    /// Names of variables, in the same way.
    let configuration: [String]
    /// Why the settings of a side cannot be compared.
    let problem: String?
}

extension Actions {
    /// A state that is compared, before its history was read.
    fileprivate struct State: Sendable {
        let side: Comparison.Side
        let config: [String: String]
        /// nil: to be read from the commit.
        var manifest: Manifest?
    }

    /// What is live, and what its branch would bring: nothing is fetched that is kept.
    /// - Throws: `Failure` of code `unknown-service`, `ref-needed`, `branch-missing`, or of a fetch.
    func compareBranch(_ target: Target) async throws -> Comparison {
        try await require(target)
        guard let service = try await store.service(target.service),
            let environment = try await store.environment(target)
        else { throw Failure(code: "unknown-service", "there is no service '\(target.service)'") }
        let live = try await store.live(target)
        let branch = try await trackedBranch(environment)
        let before = State(target, live, name: live.map { "release \($0.number)" } ?? "nothing is live")
        let today = try await store.config(target)
        let after = { @Sendable (commit: CommitID) in
            State(
                side: .init(
                    name: RefName.words(branch), environment: target.environment.description, release: nil,
                    commit: commit), config: today)
        }
        guard service.source == .remote else {
            let commit = try await tip(of: branch, in: service.repository)
            return try await compare(before, after(commit), service, in: service.repository)
        }
        return try await remotes.look(service, branch: branch, known: live?.commit) { path, commit in
            try await compare(before, after(commit), service, in: path)
        }
    }

    /// What is live in one environment, and what is in another.
    func compare(_ service: ServiceName, _ from: EnvironmentName, with to: EnvironmentName) async throws
        -> Comparison
    {
        var states: [State] = []
        for environment in [from, to] {
            let target = Target(service: service, environment: environment)
            try await require(target)
            guard let live = try await store.live(target) else {
                throw Failure(
                    code: "nothing-live", "nothing of \(target) is live: there is nothing to compare",
                    hints: [.init("deploy it there first", command: "kinto deploy \(target.words)")])
            }
            states.append(State(target, live, name: "release \(live.number) of \(environment)"))
        }
        return try await compare(states[0], states[1], known(service), in: repository(of: service))
    }

    /// Two releases of an environment.
    /// - Parameter to: nil: what is live.
    func compare(_ target: Target, release from: Int, with to: Int?) async throws -> Comparison {
        try await require(target)
        var states: [State] = []
        for number in [from, to] {
            let found =
                if let number { try await store.release(target, number) } else {
                    try await store.live(target)
                }
            guard let found else {
                throw Failure(
                    code: "unknown-release",
                    number.map { "there is no release \($0) of \(target)" }
                        ?? "nothing of \(target) is live to compare with",
                    hints: [.init("see those that there are", command: "kinto releases \(target.words)")])
            }
            states.append(State(target, found, name: "release \(found.number)"))
        }
        return try await compare(
            states[0], states[1], known(target.service), in: repository(of: target.service))
    }

    /// Names of variables in which two environments differ as they are set now.
    func compareConfig(_ service: ServiceName, _ from: EnvironmentName, with to: EnvironmentName) async throws
        -> [String]
    {
        let (source, target) = (
            Target(service: service, environment: from), Target(service: service, environment: to)
        )
        for one in [source, target] { try await require(one) }
        return SettingsChange.marks(
            from: try await store.config(source), to: try await store.config(target))
    }

    private func known(_ name: ServiceName) async throws -> RegisteredService {
        guard let service = try await store.service(name) else {
            throw Failure(code: "unknown-service", "there is no service '\(name)'")
        }
        return service
    }

    private func repository(of name: ServiceName) async throws -> String {
        let service = try await known(name)
        return service.source == .remote ? home.repository(name) : service.repository
    }

    /// The one branch or tag that an environment deploys; of a pattern the one that was deployed last.
    private func trackedBranch(_ environment: RegisteredEnvironment) async throws -> String {
        if let reference = environment.pattern.reference { return RefName.short(reference) }
        let target = environment.target
        guard let last = try await store.releases(target, limit: 1).first?.branch else {
            throw Failure(
                code: "ref-needed",
                "\(target) deploys \(environment.pattern.words), and nothing of them yet: there is nothing to compare",
                hints: [.init("deploy one", command: "kinto deploy \(target.words) --ref …")])
        }
        return last
    }

    private func compare(
        _ from: State, _ to: State, _ service: RegisteredService, in path: String
    ) async throws -> Comparison {
        try await git.run { [settingsPath = service.settingsPath] in
            // A mirror is made by the first fetch.
            guard from.side.commit != nil || to.side.commit != nil else {
                return Comparison(from, to, ([], 0), ([], 0), [], nil)
            }
            let repository = try GitRepository(opening: path)
            func only(_ a: State, _ b: State) throws -> (newest: [CommitInfo], count: Int) {
                guard let new = a.side.commit, new != b.side.commit else { return ([], 0) }
                return try repository.commits(since: b.side.commit, to: new, limit: Comparison.most)
            }
            var problem: String?
            func manifest(_ state: State) throws -> Manifest? {
                if let manifest = state.manifest { return manifest }
                guard let commit = state.side.commit else { return nil }
                switch try ManifestReader.read(
                    commit, repository: repository, path: settingsPath, environment: state.side.environment)
                {
                case .success(let manifest): return manifest
                case .failure(let failure):
                    problem =
                        "\(state.side.name): \(([failure.message] + failure.evidence.prefix(1)).joined(separator: ": "))"
                    return nil
                }
            }
            let (old, new) = (try manifest(from), try manifest(to))
            var settings: [String] = []
            if let old, let new { settings = SettingsChange.marks(from: old, to: new) }
            return Comparison(
                from, to, try only(to, from), try only(from, to), settings, problem)
        }
    }
}

extension Actions.State {
    /// What a release is, or was, with the configuration that it has.
    fileprivate init(_ target: Target, _ release: Release?, name: String) {
        self.init(
            side: .init(
                name: name, environment: target.environment.description, release: release?.number,
                commit: release?.commit), config: release?.config ?? [:], manifest: release?.manifest)
    }
}

extension Comparison {
    fileprivate init(
        _ from: Actions.State, _ to: Actions.State, _ ahead: (newest: [CommitInfo], count: Int),
        _ behind: (newest: [CommitInfo], count: Int), _ settings: [String], _ problem: String?
    ) {
        self.init(
            from: from.side, to: to.side, commits: ahead.newest.map(Commit.init), commitCount: ahead.count,
            missing: behind.newest.map(Commit.init), missingCount: behind.count, settings: settings,
            configuration: SettingsChange.marks(from: from.config, to: to.config), problem: problem)
    }
}
