// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The monotonic clock, in nanoseconds.
enum Clock {
    static func now() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    static func pause(nanoseconds: Int64) {
        // No signal interrupts: all are blocked or ignored.
        var time = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        nanosleep(&time, nil)
    }
}
