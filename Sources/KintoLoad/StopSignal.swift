// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Tells every thread when to stop.
struct StopSignal: Sendable {
    /// An eventfd: readable once everybody is to stop.
    let descriptor: Int32

    func raise() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// - Parameter due: on ``Clock``.
    /// - Returns: False when it is time to stop.
    func waits(until due: Int64) -> Bool {
        while true {
            let left = max(0, due - Clock.now())
            var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&event, 1, Int32(clamping: left / 1_000_000)) > 0 { return false }
            // poll(2) counts in milliseconds; the schedule is finer.
            let rest = due - Clock.now()
            if rest <= 0 { return true }
            if rest < 1_000_000 { Clock.pause(nanoseconds: rest) }
        }
    }
}
