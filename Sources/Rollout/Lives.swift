// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import KintoCore
internal import Synchronization
internal import Wire

/// Watches that the supervisors of all instances live, by their pidfds: one that is killed is told at once, and nobody has
/// to look. May be used from any task.
public final class Lives: Sendable {
    private let watches = Mutex<[String: ReadSource]>([:])
    private let continuation: AsyncStream<Instance>.Continuation
    /// Instances whose supervisor has ended though nobody stopped it. For one reader.
    public let losses: AsyncStream<Instance>

    public init() { (losses, continuation) = AsyncStream.makeStream() }

    /// From when it runs until it is told to end.
    public func watch(_ instance: Instance) {
        if let life = instance.supervisor.open() { return watch(instance, life) }
        Task {
            guard let life = await instance.supervisor.life() else {
                continuation.yield(instance)
                return
            }
            watch(instance, life)
        }
    }

    private func watch(_ instance: Instance, _ life: Descriptor) {
        let identifier = instance.identifier
        let source = ReadSource(life) { [weak self] in
            var poller = pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 0) > 0 else { return }
            guard let self, self.forget(identifier) else { return }
            self.continuation.yield(instance)
        }
        watches.withLock { $0[identifier] = source }
    }

    /// It is to end, or has been given up.
    func forget(_ instances: [Instance]) { for instance in instances { forget(instance.identifier) } }

    /// - Returns: whether it was watched.
    @discardableResult
    private func forget(_ identifier: String) -> Bool {
        guard let source = watches.withLock({ $0.removeValue(forKey: identifier) }) else { return false }
        source.cancel()
        return true
    }
}
