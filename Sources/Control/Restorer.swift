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
    private var start: @Sendable (Release, Held) async throws -> Void = { _, _ in }
    private var troubles: [Target: Trouble] = [:]
    /// Those that are tried again, each until it succeeds.
    private var tasks: [Target: (release: Release, task: Task<Void, Never>)] = [:]
    /// One at a time of a target: two would start the same instances twice.
    private var attempts: [Target: (release: Release, task: Task<Bool, Never>)] = [:]
    private var held: [Target: Held] = [:]
    /// What supervisors left that were killed, by release: it goes on serving until there are others.
    private var lost: [Int64: [Instance]] = [:]

    /// Types of which nothing is started now, for they may not run beside what is about to start.
    struct Held {
        /// nil: all.
        var types: Set<String>? = []
        func contains(_ type: String) -> Bool { types?.contains(type) ?? true }
    }

    /// How many are started at a time: a start is mostly work of the processor.
    static let width = max(4, ProcessInfo.processInfo.activeProcessorCount * 4)
    private static let longestPause = Duration.seconds(60)

    init(logger: Logger) { self.logger = logger }

    /// What starts one: told once, before anything is restored.
    func use(_ start: @escaping @Sendable (Release, Held) async throws -> Void) { self.start = start }

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

    /// Starts nothing of these types until ``free(_:)``; what is being started of them is stopped when this returns.
    /// - Parameter types: nil: all.
    func hold(_ target: Target, _ types: Set<String>?) async {
        let now = held[target, default: Held()]
        held[target] = Held(types: types.flatMap { more in now.types?.union(more) })
        let waiting = tasks.removeValue(forKey: target)
        waiting?.task.cancel()
        let running = attempts[target]
        running?.task.cancel()
        _ = await running?.task.value
        // The others go on.
        if types != nil, let release = running?.release ?? waiting?.release {
            Task { await self.restore(release) }
        }
    }

    func lose(_ instances: [Instance], of release: Release) {
        if !instances.isEmpty { lost[release.id, default: []] += instances }
    }

    func hasLost(_ release: Release) -> Bool { lost[release.id] != nil }

    /// - Parameter types: nil: all.
    /// - Returns: what is to be ended now.
    func takeLost(of release: Release, _ types: Set<String>? = nil) -> [Instance] {
        let all = lost.removeValue(forKey: release.id) ?? []
        guard let types else { return all }
        let others = all.filter { !types.contains($0.type) }
        if !others.isEmpty { lost[release.id] = others }
        return all.filter { types.contains($0.type) }
    }

    func free(_ target: Target) { held[target] = nil }

    func isHeld(_ target: Target, _ type: String) -> Bool { held[target]?.contains(type) ?? false }

    private func restore(_ release: Release) async {
        stopTrying(release)
        guard await !run(release, next: .seconds(1)) else { return }
        stopTrying(release)
        tasks[release.target] = (release, Task { await persist(release) })
    }

    /// Another release of the target is tried until it finds that it is not live: that ends what it lost.
    private func stopTrying(_ release: Release) {
        guard let waiting = tasks[release.target], waiting.release.id == release.id else { return }
        waiting.task.cancel()
        tasks[release.target] = nil
    }

    private func persist(_ release: Release) async {
        var pause = Duration.seconds(1)
        while true {
            do { try await Task.sleep(for: pause) } catch { return }
            pause = min(pause * 2, Restorer.longestPause)
            if await run(release, next: pause) || Task.isCancelled { return }
        }
    }

    private func run(_ release: Release, next: Duration) async -> Bool {
        let target = release.target
        while let running = attempts[target] { _ = await running.task.value }
        let task = Task { () -> Bool in
            let isDone = await attempt(release, next: next)
            attempts[target] = nil
            return isDone
        }
        attempts[target] = (release, task)
        return await task.value
    }

    /// - Returns: whether there is nothing left to do.
    private func attempt(_ release: Release, next: Duration) async -> Bool {
        do {
            try await start(release, held[release.target] ?? Held())
            if troubles[release.target]?.release == release.number { troubles[release.target] = nil }
            return true
        } catch is CancellationError {
            if troubles[release.target]?.release == release.number { troubles[release.target] = nil }
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
