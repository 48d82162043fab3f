// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore
internal import Logging
internal import Wire

/// Starts live releases again whose processes are gone, after a reboot above all, and does not give up: what a service
/// needs may come later than the service.
actor Restorer {
    /// Why a release does not serve yet.
    struct Trouble: Sendable {
        let release: Int
        let failure: Failure
        let next: Timestamp
    }

    private let logger: Logger
    private var start: @Sendable (Release) async throws -> Void = { _ in }
    private var troubles: [Target: Trouble] = [:]
    private var tasks: [Target: Task<Void, Never>] = [:]

    /// How many are started at a time: a start is mostly work of the processor.
    static let width = max(4, ProcessInfo.processInfo.activeProcessorCount * 4)
    private static let longestPause = Duration.seconds(60)

    init(logger: Logger) { self.logger = logger }

    /// What starts one: told once, before anything is restored.
    func use(_ start: @escaping @Sendable (Release) async throws -> Void) { self.start = start }

    /// The release of a target that is tried again; nil when there is none.
    func trouble(_ target: Target) -> Trouble? { troubles[target] }

    /// Returns when each was tried once; those that could not be started are tried on, later and later.
    func restore(_ releases: [Release]) async {
        await withTaskGroup(of: Void.self) { group in
            var waiting = releases[...]
            for release in waiting.prefix(Restorer.width) { group.addTask { await self.restore(release) } }
            waiting = waiting.dropFirst(Restorer.width)
            for await _ in group {
                if let next = waiting.popFirst() { group.addTask { await self.restore(next) } }
            }
        }
    }

    private func restore(_ release: Release) async {
        tasks.removeValue(forKey: release.target)?.cancel()
        guard await !attempt(release, next: .seconds(1)) else { return }
        tasks[release.target] = Task { await persist(release) }
    }

    private func persist(_ release: Release) async {
        var pause = Duration.seconds(1)
        while true {
            do { try await Task.sleep(for: pause) } catch { return }
            pause = min(pause * 2, Restorer.longestPause)
            if await attempt(release, next: pause) { return }
        }
    }

    /// - Returns: whether there is nothing left to do.
    private func attempt(_ release: Release, next: Duration) async -> Bool {
        do {
            try await start(release)
            troubles[release.target] = nil
            return true
        } catch is CancellationError {
            troubles[release.target] = nil
            return true
        } catch {
            let failure = error as? Failure ?? Failure(code: "internal", "\(error)")
            logger.error(
                "a live release cannot be started again",
                metadata: ["release": "\(release.upstream)", "error": "\(failure)"])
            troubles[release.target] = Trouble(
                release: release.number, failure: failure,
                next: Timestamp(milliseconds: Timestamp.now.milliseconds + next.components.seconds * 1000))
            return false
        }
    }
}
