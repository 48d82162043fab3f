// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner

/// What a person says to a deploy by hand.
struct DeployWish: Sendable {
    /// A branch or tag that the environment tracks, or a commit; nil: what it tracks, as it is.
    var ref: String?
    var noCache = false
    /// Also when there is nothing to deploy.
    var force = false
    /// `NAME/ENVIRONMENT`, for one that is protected.
    var confirmation: String?
    /// Who asks, and confirms.
    var by: String?
}

extension Actions {
    /// A deploy by hand.
    /// - Throws: `Failure` of code `environment-protected`, `ref-needed`, `unknown-ref`, `branch-missing`.
    func deploy(_ target: Target, _ wish: DeployWish) async throws -> Taken {
        try await require(target)
        guard let environment = try await store.environment(target),
            let service = try await store.service(target.service)
        else { throw Failure(code: "unknown-service", "there is no service '\(target.service)'") }
        if environment.isProtected, wish.confirmation != "\(target)" {
            throw Failure(
                code: "environment-protected",
                wish.confirmation == nil
                    ? "\(target) is protected: a deploy of it is confirmed by its name"
                    : "\(target) is protected, and what was typed is not its name",
                hints: [environment.confirmation])
        }
        var new = try await chosen(wish.ref, environment, service)
        new.noCache = wish.noCache
        new.force = wish.force
        new.by = wish.by
        let taken = try await take(new)
        // What was asked for by hand serves, and well.
        if case .live(let live) = taken { await keeper.allowDeploys(after: live, by: .manual) }
        return taken
    }

    /// The commit, and the branch or tag that it has to be part of when it is fetched.
    func chosen(
        _ ref: String?, _ environment: RegisteredEnvironment, _ service: RegisteredService
    ) async throws -> NewRelease {
        let (target, pattern) = (environment.target, environment.pattern)
        func new(_ branch: String, _ commit: CommitID?) -> NewRelease {
            NewRelease(target: target, commit: commit, branch: branch, trigger: .manual)
        }
        let isRemote = service.source == .remote
        if let reference = pattern.reference {
            let branch = RefName.short(reference)
            guard let ref, RefName.full(ref) != reference else {
                return new(branch, isRemote ? nil : try await tip(of: branch, in: service.repository))
            }
            return new(branch, try await commit(ref, isRemote ? nil : service.repository))
        }
        if let ref, let named = [ref, "tags/\(ref)"].first(where: { pattern.matches(RefName.full($0)) }) {
            let branch = RefName.short(RefName.full(named))
            return new(branch, isRemote ? nil : try await tip(of: branch, in: service.repository))
        }
        // What was deployed last is meant.
        guard let last = try await store.releases(target, limit: 1).first?.branch,
            pattern.matches(RefName.full(last))
        else {
            throw Failure(
                code: "ref-needed",
                "\(target) deploys \(pattern.words), and nothing of them yet: say which is meant",
                hints: [.init("name one", command: "kinto deploy \(target.words) --ref …")])
        }
        guard let ref else {
            return new(last, isRemote ? nil : try await tip(of: last, in: service.repository))
        }
        return new(last, try await commit(ref, isRemote ? nil : service.repository))
    }

    /// The commit that a branch or tag of a repository on this machine is at.
    /// - Throws: `Failure` of code `branch-missing`.
    func tip(of branch: String, in path: String) async throws -> CommitID {
        try await git.run { () throws -> CommitID in
            guard let commit = try GitRepository(opening: path).resolve(RefName.full(branch)) else {
                throw Failure(
                    code: "branch-missing", "the repository has no \(RefName.words(branch)) yet",
                    hints: PullReference.number(branch) != nil
                        ? [] : [.init("push it", command: "git push kinto \(branch)")])
            }
            return commit
        }
    }

    /// - Parameter path: nil: a repository that is elsewhere.
    private func commit(_ ref: String, _ path: String?) async throws -> CommitID {
        guard let path else {
            guard let commit = CommitID(ref) else {
                throw Failure(
                    code: "unknown-ref",
                    "--ref of a remote repository is what its environment deploys, or a full commit id")
            }
            return commit
        }
        return try await git.run { () throws -> CommitID in
            guard let commit = try GitRepository(opening: path).resolve(ref) else {
                throw Failure(code: "unknown-ref", "the repository has no '\(ref)'")
            }
            return commit
        }
    }
}
