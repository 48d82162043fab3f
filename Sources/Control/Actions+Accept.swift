// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner
internal import Wire

/// What a trigger is answered with.
enum Taken: Sendable {
    /// With how many are before it.
    case release(Release, position: Int)
    /// It was told before, and became this release; nil when that one is gone.
    case duplicate(Release?)
    /// There is nothing to deploy.
    case live(Release)
}

extension Actions {
    /// Takes a trigger; durable when it returns. The release begins as soon as nothing else of its target runs.
    func take(_ trigger: NewRelease) async throws -> Taken {
        var new = trigger
        while true {
            switch try await store.take(new) {
            case .accepted(let accepted):
                Fault.queued.pass()
                await begin(accepted)
                return .release(accepted.release, position: accepted.position)
            case .duplicate(let number):
                guard let number else { return .duplicate(nil) }
                return .duplicate(try await store.release(new.target, number))
            case .live(let live): return .live(live)
            case .undecided(let commits):
                // Each is asked about once, so this comes to an end.
                for (commit, contains) in await contained(new, in: commits) {
                    new.contained[commit] = contains
                }
            }
        }
    }

    /// A release that is made of what is there: rollback, resume.
    func accept(_ new: NewRelease) async throws -> Release {
        guard case .release(let release, _) = try await take(new) else {
            throw Failure(code: "duplicate-trigger", "this trigger was accepted before")
        }
        return release
    }

    /// Tells what became of it and of those that it replaced, and starts it. Its record is made: what fails here does not
    /// undo that.
    private func begin(_ accepted: Acceptance.Accepted) async {
        let release = accepted.release
        try? Files.makeDirectories(home.release(release.target, release.number))
        let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
        if let by = release.supersededBy {
            log.append(.trouble("Superseded: release \(by), which waits, contains this commit"))
            log.close()
            return
        }
        if let running = accepted.running {
            log.append(.detail("Release \(release.number) waits for release \(running.number)"))
        } else {
            log.append(.detail("Release \(release.number) is queued"))
        }
        for old in accepted.superseded {
            let log = ReleaseLog(path: home.releaseLog(old.target, old.number))
            log.append(.trouble("Superseded by release \(release.number), a newer push"))
            log.close()
        }
        if let cancelled = accepted.cancelled { await lanes.supersede(cancelled) }
        await lanes.wake(release.target)
    }

    /// Whether the commits contain the new one. One that cannot be read contains nothing.
    private func contained(_ new: NewRelease, in commits: Set<CommitID>) async -> [CommitID: Bool] {
        let none = Dictionary(uniqueKeysWithValues: commits.map { ($0, false) })
        guard let commit = new.commit, let service = try? await store.service(new.target.service) else {
            return none
        }
        let path =
            service.source == .remote ? home.repository(service.name) : service.repository
        let answer = try? await git.run { () throws -> [CommitID: Bool] in
            let repository = try GitRepository(opening: path)
            return none.reduce(into: [:]) { answer, other in
                answer[other.key] = (try? repository.isAncestor(commit, of: other.key)) ?? false
            }
        }
        return answer ?? none
    }

    /// A deploy by hand.
    /// - Parameter force: also when there is nothing to deploy.
    func deploy(_ target: Target, ref: String?, noCache: Bool, force: Bool) async throws -> Taken {
        guard let environment = try await store.environment(target),
            let service = try await store.service(target.service)
        else {
            try await require(target)
            throw Failure(code: "unknown-service", "there is no service '\(target.service)'")
        }
        var new = NewRelease(target: target, commit: nil, branch: environment.branch, trigger: .manual)
        new.noCache = noCache
        new.force = force
        if service.source != .remote {
            new.commit = try await commit(in: service.repository, branch: environment.branch, ref: ref)
        } else if let ref {
            guard let commit = CommitID(ref) else {
                throw Failure(code: "unknown-ref", "--ref of a remote repository must be a full commit id")
            }
            new.commit = commit
        }
        let taken = try await take(new)
        // What was asked for by hand serves, and well.
        if case .live(let live) = taken { await keeper.allowDeploys(after: live, by: .manual) }
        return taken
    }

    /// The commit that a branch of a repository on this machine is at.
    /// - Throws: `Failure` of code `branch-missing`.
    func tip(of branch: String, in path: String) async throws -> CommitID {
        try await commit(in: path, branch: branch, ref: nil)
    }

    private func commit(in path: String, branch: String, ref: String?) async throws -> CommitID {
        try await git.run { () throws -> CommitID in
            let repository = try GitRepository(opening: path)
            if let ref {
                guard let commit = try repository.resolve(ref) else {
                    throw Failure(code: "unknown-ref", "the repository has no '\(ref)'")
                }
                return commit
            }
            guard let commit = try repository.resolve("refs/heads/\(branch)") else {
                throw Failure(
                    code: "branch-missing", "the repository has no branch '\(branch)' yet",
                    hints: [.init("push it", command: "git push kinto \(branch)")])
            }
            return commit
        }
    }
}
