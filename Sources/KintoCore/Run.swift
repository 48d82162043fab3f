// SPDX-License-Identifier: Apache-2.0
public import Wire

/// A command that somebody runs once in the artifact and with the configuration of a release. On record from before it was
/// let run until its end was seen: it goes on when the server dies.
public struct Run: Sendable, Equatable, Codable {
    /// Unique in a home.
    public var id: Int64
    public var target: Target
    /// The release's number.
    public var release: Int
    /// For people.
    public var command: String
    /// `KINTO_INSTANCE_ID` of its processes.
    public var identifier: String
    /// nil: it was not let run yet.
    public var supervisor: ProcessIdentity?
    public var statePath: String
    public var startedAt: Timestamp
    /// Whether it goes on without whoever started it, and prints to a log.
    public var isDetached: Bool

    public init(
        target: Target, release: Int, command: String, identifier: String, isDetached: Bool
    ) {
        id = 0
        self.target = target
        self.release = release
        self.command = command
        self.identifier = identifier
        statePath = ""
        startedAt = .now
        self.isDetached = isDetached
    }

    /// `run.7`: its name among the instances.
    public var name: String { "run.\(id)" }
}
