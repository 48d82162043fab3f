// SPDX-License-Identifier: Apache-2.0
internal import GRDB
internal import Wire

extension Store {
    /// Accepts what takes over an artifact that is there: nothing can keep it from becoming a release.
    static func accept(_ database: Database, _ new: NewRelease) throws -> Release {
        guard case .accepted(let accepted) = try take(database, new) else {
            throw Failure(code: "duplicate-trigger", "this trigger was accepted before")
        }
        return accepted.release
    }

    static func take(_ database: Database, _ new: NewRelease) throws -> Acceptance {
        if let identifier = new.deduplication,
            let earlier = try database.row(
                sql: "SELECT release FROM accepted WHERE identifier = ?", arguments: [identifier])
        {
            return .duplicate(earlier["release"])
        }
        guard
            let place = try database.row(
                sql: """
                    SELECT nextNumber, suspended, queue FROM environment JOIN service ON environment.service = service.name
                    WHERE environment.service = ? AND environment.name = ?
                    """,
                arguments: [new.target.service.description, new.target.environment.description])
        else {
            throw Failure(
                code: "unknown-service",
                "there is no service '\(new.target.service)' with an environment '\(new.target.environment)'")
        }
        let open = try open(database, new.target)
        guard new.trigger.isDeploy else {
            return .accepted(try insert(database, new, number: place["nextNumber"], open, Ruling()))
        }
        if open.isEmpty, !place["suspended"], let live = try served(database, new) {
            try note(database, new, release: live.number)
            return .live(live)
        }
        let ruling = Ruling(
            new, among: open, QueuePolicy(rawValue: place["queue"]) ?? .wait)
        guard ruling.unknown.isEmpty else { return .undecided(ruling.unknown) }
        let accepted = try insert(database, new, number: place["nextNumber"], open, ruling)
        try note(database, new, release: accepted.release.number)
        return .accepted(accepted)
    }

    /// Says it of a release that serves already.
    /// - Parameter isNamed: whether its environment is named: there are others.
    public static func alreadyLive(_ live: Release, isNamed: Bool = false) -> String {
        "release \(live.number)\(isNamed ? " of \(live.target)" : "") is live with this commit and configuration already"
    }

    /// Whether a deploy of the commit would change nothing: it serves, with what the configuration is now.
    public static func serves(_ live: Release, _ commit: CommitID, config: [String: String]) -> Bool {
        live.commit == commit && live.status == .deployed && live.config == config
    }

    private static func served(_ database: Database, _ new: NewRelease) throws -> Release? {
        guard !new.noCache, !new.force, let commit = new.commit ?? new.tip,
            let live = try live(database, new.target),
            serves(live, commit, config: try config(database, new.target))
        else { return nil }
        return live
    }

    private static func insert(
        _ database: Database, _ new: NewRelease, number: Int, _ open: [Release], _ ruling: Ruling
    ) throws -> Acceptance.Accepted {
        try requireArtifact(database, new.artifact)
        let now = Timestamp.now
        let service = new.target.service.description
        let environment = new.target.environment.description
        try database.run(
            sql: "UPDATE environment SET nextNumber = ? WHERE service = ? AND name = ?",
            arguments: [number + 1, service, environment])
        var release = Release(
            id: 0, target: new.target, number: number, commit: new.commit, branch: new.branch,
            trigger: new.trigger,
            createdAt: now)
        release.tip = new.tip
        release.subject = new.subject
        release.author = new.author
        release.by = new.by
        release.noCache = new.noCache
        release.force = new.force
        release.rollbackOf = new.rollbackOf
        release.artifact = new.artifact
        release.manifest = new.manifest
        release.config = new.config
        if let descendant = ruling.descendant {
            release.status = .superseded
            release.supersededBy = descendant.number
            release.finishedAt = now
        }
        try database.run(
            sql: "INSERT INTO release (service, environment, number, status, body) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                service, environment, number, release.status.rawValue, try ReleaseBody(release).encoded(),
            ])
        release.id = database.lastInsertedRowID
        if var entry = new.audit {
            entry.what = entry.what.isEmpty ? "release \(number)" : "\(entry.what), release \(number)"
            try record(database, entry)
        }
        var accepted = Acceptance.Accepted(release: release)
        for var waiting in ruling.superseded {
            waiting.status = .superseded
            waiting.supersededBy = number
            waiting.finishedAt = now
            try save(database, waiting)
            accepted.superseded.append(waiting)
        }
        if var cancelled = ruling.cancelled {
            cancelled.abortRequested = true
            cancelled.supersededBy = number
            try save(database, cancelled)
            try note(database, cancelled.id, "to be superseded by \(number)")
            accepted.cancelled = cancelled
        }
        accepted.running = open.first { $0.status == .deploying }
        accepted.position = open.count - ruling.superseded.count
        return accepted
    }

    /// So that the same trigger, told again, is known.
    private static func note(_ database: Database, _ new: NewRelease, release: Int) throws {
        guard let identifier = new.deduplication else { return }
        try database.run(
            sql: "INSERT INTO accepted (identifier, at, release) VALUES (?, ?, ?)",
            arguments: [identifier, Timestamp.now.milliseconds, release])
    }

    /// The delivery that brought them, with what became of each.
    static func record(_ database: Database, _ news: [NewRelease], _ answers: [Acceptance]) throws {
        guard var delivery = news.first?.delivery else { return }
        var verdicts: [String] = []
        for (new, answer) in zip(news, answers) {
            let verdict: String
            switch answer {
            case .accepted(let accepted):
                verdict = "queued as release \(accepted.release.number)"
                if delivery.status != 202 { delivery.release = accepted.release.number }
                delivery.status = 202
                delivery.note(accepted.release, isNew: true)
            case .live(let live):
                verdict = "ignored: \(alreadyLive(live))"
                if delivery.release == nil { delivery.release = live.number }
                delivery.note(live, isNew: false)
            case .duplicate, .undecided: continue
            }
            let isAlone = news.count == 1 && delivery.verdict.isEmpty
            verdicts.append(
                isAlone && new.target.environment == .production
                    ? verdict : "\(new.target.environment): \(verdict)")
        }
        // All of it was told before, and is recorded.
        guard !verdicts.isEmpty else { return }
        if !delivery.verdict.isEmpty { verdicts.append(delivery.verdict) }
        delivery.verdict = verdicts.joined(separator: "; ")
        try record(database, delivery)
    }
}

extension Delivery {
    fileprivate mutating func note(_ release: Release, isNew: Bool) {
        releases.append(
            Outcome(environment: release.target.environment, release: release.number, isNew: isNew))
    }
}
