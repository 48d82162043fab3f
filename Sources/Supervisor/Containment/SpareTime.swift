// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// Has a build run in the time that nobody else wants (cpu.idle, kernel's admin-guide/cgroup-v2): what serves interrupts it at
/// once, and finds a processor that only builds use as free as an idle one. Beside services that leave nothing it would
/// never end: then builds get their share for a while.
struct SpareTime {
    /// Milliseconds over which it is seen whether a build gets on.
    private static let window: Int64 = 2_000
    /// Milliseconds for which builds have their share afterwards.
    private static let share: Int64 = 10_000

    private let group: ControlGroup
    private var since: Int64
    private var before: ControlGroup.ProcessorUse
    /// Monotonic milliseconds: when to go back to spare time.
    private var shareEnds: Int64?

    /// nil: the kernel does not offer it, or does not tell who waits for a processor.
    init?(_ group: ControlGroup?, now: Int64) {
        guard let group, let use = group.processorUse, group.yieldProcessor(true) else { return nil }
        self.group = group
        before = use
        since = now
    }

    /// To be called a few times a second.
    mutating func look(_ now: Int64) {
        if let ends = shareEnds {
            guard now >= ends else { return }
            shareEnds = nil
            group.yieldProcessor(true)
        } else {
            guard now >= since + SpareTime.window else { return }
        }
        guard let use = group.processorUse else { return }
        let time = (now - since) * 1000
        // Less than a twentieth of one processor, while something of it was ready for one most of the time.
        if use.used - before.used < time / 20, use.waited - before.waited > time / 2 {
            group.yieldProcessor(false)
            shareEnds = now + SpareTime.share
        }
        (before, since) = (use, now)
    }
}
