// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import KintoCore
internal import Wire

/// Fetches from a remote repository in a child process with a deadline. Concurrent fetches are fine, but into
/// different repositories.
public struct Fetcher: Sendable {
    private let program: String
    private let arguments: [String]

    /// - Parameters:
    ///   - program: absolute path of the kinto executable.
    ///   - arguments: what makes it call `FetchMain.run`.
    public init(program: String, arguments: [String] = ["fetch"]) {
        self.program = program
        self.arguments = arguments
    }

    /// Fetches and gives the commit of the first reference asked for. When the calling task is cancelled the
    /// child is killed at once. Remains of a killed fetch are swept before this returns.
    /// - Parameters:
    ///   - spec: what to fetch.
    ///   - deadline: for all of it; then the child is killed.
    ///   - onProgress: called on a thread of its own, at most ten times a second.
    /// - Returns: the commit of the first reference.
    /// - Throws: `Failure` of code `fetch-auth`, `fetch-branch-gone`, `fetch-busy`, `fetch-dns`,
    ///   `fetch-empty`, `fetch-failed`, `fetch-interrupted`, `fetch-not-found`, `fetch-redirect`,
    ///   `fetch-ssh`, `fetch-timeout`, `fetch-tls`, `fetch-unreachable`, `host-key-changed`,
    ///   `host-key-unknown`, `disk-full`, `file-system`; `CancellationError`.
    public func fetch(
        _ spec: FetchSpec, deadline: Duration,
        onProgress: @escaping @Sendable (FetchProgress) -> Void = { _ in }
    ) async throws -> CommitID {
        let process: FetchProcess
        do {
            process = try FetchProcess(
                spec, program: program, arguments: arguments, deadline: deadline, onProgress: onProgress)
        } catch { throw error.failure("Starting the fetch") }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                process.start { continuation.resume(with: $0) }
            }
        } onCancel: {
            process.cancel()
        }
    }
}
