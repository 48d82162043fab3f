// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// Runs a supervised command to its end: the composition root gives the supervisor client.
public protocol JobRunner: Sendable {
    /// Starts it behind the gate, has it recorded, lets it run, and waits for the end. Cancelling the task stops the whole
    /// tree first, unless the server ends: then the command goes on.
    func run(_ spec: SupervisorSpec, record: @escaping @Sendable (ProcessIdentity) async throws -> Void)
        async throws
        -> SupervisorState

    /// Waits for the end of one that an earlier server started; cancelling as for `run`.
    func rejoin(_ job: Job) async throws -> Job.Fate
}

/// Fetches a remote branch into a local mirror: the composition root gives the child process.
public protocol RemoteFetcher: Sendable {
    /// - Returns: the commit that `branch` has now.
    func fetch(_ service: RegisteredService, branch: String, log: @escaping @Sendable (LogLine) -> Void)
        async throws -> CommitID

    /// Gets a commit of another repository into a mirror of the service's; at once when it is there.
    /// - Parameter isTrusted: whether the service's credentials go there.
    /// - Returns: the mirror's path.
    func fetch(
        _ commit: CommitID, from address: GitAddress, for service: RegisteredService, isTrusted: Bool,
        deadline: Duration
    ) async throws -> String

    var limits: FetchLimits { get }
}
