// SPDX-License-Identifier: Apache-2.0
public import KintoCore
internal import Synchronization

/// What a rollout has started so far, one of the same name in the other's stead: whatever happens then, its owner stops
/// them. May be used from any task.
public final class StartedInstances: Sendable {
    private let instances = Mutex<[Instance]>([])

    public init() {}

    public var all: [Instance] { instances.withLock { $0 } }

    func put(_ instance: Instance) { instances.withLock { $0.put(instance) } }
}
