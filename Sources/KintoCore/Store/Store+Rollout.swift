// SPDX-License-Identifier: Apache-2.0
internal import GRDB
public import Wire

extension Store {
    /// Makes an earlier release live again because the one after it was no good: the one is failed and the other live
    /// in one transaction.
    /// - Throws: `Failure` of code `not-live` when the failed one is not live any more.
    public func undo(_ failed: Release, to earlier: Release, _ failure: Failure) async throws {
        try await write { database in
            guard var bad = try Store.live(database, failed.target), bad.id == failed.id,
                var good = try Row.fetchOne(
                    database, sql: "SELECT * FROM release WHERE id = ?", arguments: [earlier.id]
                ).map(ReleaseBody.release)
            else { throw Failure(code: "not-live", "release \(failed.number) is not live any more") }
            try Store.makeLive(database, good)
            bad.live = false
            bad.status = .failed
            bad.failure = failure
            bad.stage = nil
            bad.finishedAt = bad.finishedAt ?? .now
            good.live = true
            good.warmUntil = nil
            try Store.save(database, bad)
            try Store.save(database, good)
            try Store.note(database, bad.id, "undone: \(failure.code)")
            try Store.note(database, good.id, "live again")
        }
    }

    /// What is to become of a release that was replaced.
    public enum Replaced: Sendable {
        /// It runs on, marked with the end of its time.
        case kept(Release)
        /// It is to be stopped.
        case surplus(Release)
        /// It was taken back, or runs no more.
        case gone
    }

    /// Keeps a release that was replaced running, so that it can come back at once: the last one, which is enough to go
    /// back to.
    /// - Parameter until: nil: none is to be kept.
    public func keepWarm(_ target: Target, _ number: Int, until: Timestamp?) async throws -> Replaced {
        try await write { database in
            let left = try Store.left(database, target)
            guard var release = left.first(where: { $0.number == number }) else { return .gone }
            // One that failed cannot come back.
            guard let until, release.isProven,
                !left.contains(where: { $0.isProven && $0.number > number })
            else { return .surplus(release) }
            release.warmUntil = until
            try Store.save(database, release)
            try Store.note(database, release.id, "kept warm")
            return .kept(release)
        }
    }

    /// Accepts a rollback to a release whose instances still run: they become the new release's, which is at its swap
    /// at once.
    /// - Throws: `Failure` of code `not-warm` when something else of the target is queued, or on its way to its swap,
    ///   or the earlier release has no instances any more.
    public func acceptWarm(_ new: NewRelease, from earlier: Release) async throws -> Release {
        try await write { database in
            guard try Store.open(database, new.target).allSatisfy({ $0.liveAt != nil }),
                var warm = try Row.fetchOne(
                    database, sql: "SELECT * FROM release WHERE id = ?", arguments: [earlier.id]
                ).map(ReleaseBody.release), !warm.live, !warm.instances.web.isEmpty
            else { throw Failure(code: "not-warm", "release \(earlier.number) is not kept warm") }
            var release = try Store.accept(database, new)
            release.status = .deploying
            release.stage = .swap
            release.startedAt = release.createdAt
            // Its workers do not run any more, or end just now.
            release.instances = warm.instances.web
            warm.instances = warm.instances.workers
            warm.warmUntil = nil
            try Store.save(database, release)
            try Store.save(database, warm)
            try Store.note(database, release.id, "swapping to the instances of release \(warm.number)")
            return release
        }
    }

    /// The proxy did not take what ``acceptWarm(_:from:)`` accepted: the instances are the earlier release's again.
    public func giveBack(_ release: Release, to earlier: Release, _ failure: Failure) async throws {
        try await write { database in
            guard var (failed, warm) = try Store.both(database, release.id, earlier.id) else { return }
            warm.instances = failed.instances + warm.instances
            failed.instances = []
            failed.status = .failed
            failed.failure = failure
            failed.stage = nil
            failed.finishedAt = .now
            try Store.save(database, failed)
            try Store.save(database, warm)
            try Store.note(database, failed.id, "finished: failed")
        }
    }

    private static func both(_ database: Database, _ first: Int64, _ second: Int64) throws -> (
        Release, Release
    )? {
        let found = try [first, second].map { id in
            try database.row(sql: "SELECT * FROM release WHERE id = ?", arguments: [id])
                .map(ReleaseBody.release)
        }
        guard let one = found[0], let other = found[1] else { return nil }
        return (one, other)
    }
}
