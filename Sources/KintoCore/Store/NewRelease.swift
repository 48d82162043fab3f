// SPDX-License-Identifier: Apache-2.0

/// A release to be accepted: it gets its number and its place in the queue with the record.
public struct NewRelease: Sendable {
    public var target: Target
    public var commit: CommitID?
    /// What a forge says that is deployed, when the commit is found out by the fetch.
    public var tip: CommitID?
    public var branch: String
    public var subject = ""
    public var author = ""
    public var trigger: Release.Trigger
    /// Who asks for it, as `Principal.name`; nil: nobody whom kinto knows.
    public var by: String?
    /// Written to the audit log with the release, when nothing else writes it.
    public var audit: AuditEntry?
    public var noCache = false
    /// Also when its commit is live already.
    public var force = false
    /// A rollback: the release whose artifact, settings and (unless `currentConfig`) configuration come back.
    public var rollbackOf: Int?
    /// Rollback, config, promote: what is taken over from an earlier release.
    public var artifact: Release.Artifact?
    public var manifest: Manifest?
    /// nil: the configuration is taken when the release starts.
    public var config: [String: String]?
    /// An identifier that makes the same trigger, told twice, one release of the target.
    public var deduplication: String?
    /// Commits of other releases, and whether they contain this one's: an ancestor replaces no descendant.
    public var contained: [CommitID: Bool] = [:]
    /// The delivery that brought it, recorded with it; what is said in its verdict already is about other environments. Of the
    /// releases of one trigger the first has it.
    public var delivery: Delivery?

    public init(target: Target, commit: CommitID?, branch: String, trigger: Release.Trigger) {
        self.target = target
        self.commit = commit
        self.branch = branch
        self.trigger = trigger
    }

    /// Makes a trigger of that name one release of this target.
    public mutating func identify(by trigger: String) {
        deduplication = target.environment == .production ? trigger : "\(trigger) \(target)"
    }
}
