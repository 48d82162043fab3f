// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Tells that the server is about to end: what runs under a supervisor is then left to the next server and not stopped.
public final class Halt: Sendable {
    private let begun = Atomic<Bool>(false)

    public init() {}

    public var hasBegun: Bool { begun.load(ordering: .acquiring) }
    public func begin() { begun.store(true, ordering: .releasing) }
}
