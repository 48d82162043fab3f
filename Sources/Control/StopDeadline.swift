// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
internal import Glibc
internal import Logging
internal import ServiceLifecycle

/// Ends the server that was told to stop although something of it does not end, like the removal of very many files: what
/// is unfinished is on record as it is after a power cut, and the next start goes on from there. The services go on.
struct StopDeadline: Service {
    /// More than what all else is given together.
    private static let patience = 4.5
    let logger: Logger

    /// Returns when the server is told to stop; the deadline holds from then on.
    func run() async throws {
        try? await gracefulShutdown()
        // No task: what does not end may hold all threads of tasks.
        DispatchQueue.global().asyncAfter(deadline: .now() + StopDeadline.patience) { [logger] in
            logger.notice("stopped with work under way, which the next start goes on with")
            _exit(0)
        }
    }
}
