// SPDX-License-Identifier: Apache-2.0

/// What became of a trigger.
public enum Acceptance: Sendable {
    case accepted(Accepted)
    /// The same trigger was told before, and became this release; nil when that is not known any more.
    case duplicate(Int?)
    /// Its commit serves already, with today's configuration.
    case live(Release)
    /// Nothing was written: first say of these commits whether they contain the new one (`NewRelease.contained`).
    case undecided(Set<CommitID>)

    /// A trigger that became a release, and what it did to others of its target.
    public struct Accepted: Sendable {
        public var release: Release
        /// Waiting ones that it replaced.
        public var superseded: [Release] = []
        /// The running one, which is to be ended.
        public var cancelled: Release?
        /// The one that runs, and for which it waits.
        public var running: Release?
        /// How many are before it.
        public var position = 0
    }
}
