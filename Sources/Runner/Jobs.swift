// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// Runs a supervised command to its end: the composition root gives the supervisor client.
public protocol JobRunner: Sendable {
    /// Starts it behind the gate, waits for the end. Cancelling the task stops the whole tree first.
    func run(_ spec: SupervisorSpec) async throws -> SupervisorState
}

/// Fetches a remote branch into a local mirror: the composition root gives the child process.
public protocol RemoteFetcher: Sendable {
    /// - Returns: the commit that `branch` has now.
    func fetch(_ service: RegisteredService, branch: String, log: @escaping @Sendable (LogLine) -> Void)
        async throws -> CommitID
}
