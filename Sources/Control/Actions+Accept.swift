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

extension Taken {
    fileprivate init(_ new: NewRelease, _ answer: Acceptance, _ store: Store) async throws {
        switch answer {
        case .accepted(let accepted): self = .release(accepted.release, position: accepted.position)
        case .duplicate(nil): self = .duplicate(nil)
        case .duplicate(let number?): self = .duplicate(try await store.release(new.target, number))
        case .live(let live): self = .live(live)
        case .undecided:
            throw Failure(code: "store-unreadable", "a trigger of \(new.target) was not decided on")
        }
    }
}

extension Actions {
    /// Takes a trigger; durable when it returns. The release begins as soon as nothing else of its target runs.
    func take(_ new: NewRelease) async throws -> Taken {
        guard let taken = try await take([new]).first else {
            throw Failure(code: "store-unreadable", "a trigger was not answered")
        }
        return taken
    }

    /// The same of a trigger that several environments are deployed by: all of them are recorded, or none.
    func take(_ triggers: [NewRelease]) async throws -> [Taken] {
        var news = triggers
        while true {
            let answers = try await store.take(news)
            var isDecided = true
            for (index, answer) in answers.enumerated() {
                guard case .undecided(let commits) = answer else { continue }
                isDecided = false
                // Each is asked about once, so this comes to an end.
                for (commit, contains) in await contained(news[index], in: commits) {
                    news[index].contained[commit] = contains
                }
            }
            guard isDecided else { continue }
            Fault.queued.pass()
            // They are recorded: whatever else is said of this trigger, they begin.
            for case .accepted(let accepted) in answers { await begin(accepted) }
            var taken: [Taken] = []
            for (new, answer) in zip(news, answers) { taken.append(try await Taken(new, answer, store)) }
            return taken
        }
    }

    /// Decides what a trigger does with a service's environments, and records it. One of them may go between the two: that is no
    /// reason to deploy none of the others, so it is decided once more.
    /// - Parameter known: as they were read just now.
    func decide<T>(
        for service: ServiceName, _ known: [RegisteredEnvironment]? = nil,
        _ decide: ([RegisteredEnvironment]) async throws -> T
    ) async throws -> T {
        do {
            if let known { return try await decide(known) }
            return try await decide(store.environments(of: service))
        } catch let failure as Failure where failure.code == "unknown-service" {
            return try await decide(store.environments(of: service))
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
    func contained(_ new: NewRelease, in commits: Set<CommitID>) async -> [CommitID: Bool] {
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
}
