// SPDX-License-Identifier: Apache-2.0

/// What a new deploy does to those before it, by the service's policy and the rule that no ancestor replaces a descendant.
public struct Ruling: Sendable {
    public private(set) var superseded: [Release] = []
    public private(set) var cancelled: Release?
    /// One that waits and contains the new commit.
    public private(set) var descendant: Release?
    /// Commits of which it has to be known.
    public private(set) var unknown: Set<CommitID> = []

    init() {}

    /// - Parameter open: those of its target that wait or are on their way.
    public init(_ new: NewRelease, among open: [Release], _ policy: QueuePolicy) {
        guard policy != .every else { return }
        for waiting in open where waiting.status == .queued && waiting.trigger.isDeploy {
            switch Ruling.isNewer(new, than: waiting) {
            case true?: superseded.append(waiting)
            case false?: descendant = waiting
            case nil: if let commit = waiting.commit, new.commit != nil { unknown.insert(commit) }
            }
        }
        if descendant != nil { superseded = [] }
        guard policy == .cancel, descendant == nil,
            let running = open.first(where: {
                $0.status == .deploying && $0.trigger.isDeploy && $0.stage != .swap && $0.stage != .drain
                    && !$0.abortRequested && $0.liveAt == nil
            }), new.commit == nil || running.commit != new.commit
        else { return }
        switch Ruling.isNewer(new, than: running) {
        case true?: cancelled = running
        case false?: break
        case nil: if let commit = running.commit, new.commit != nil { unknown.insert(commit) }
        }
    }

    /// nil: not known. The tip of a branch, which has no commit yet, is newer than all.
    private static func isNewer(_ new: NewRelease, than other: Release) -> Bool? {
        guard let commit = new.commit else { return true }
        // Branches of a pattern have nothing to do with each other; of tags it is told by their commits.
        if new.branch != other.branch, !RefName.isTag(new.branch) { return true }
        guard let earlier = other.commit else { return nil }
        return commit == earlier ? true : new.contained[earlier].map { !$0 }
    }
}
