// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Wire

/// The clock that schedules go by. Somebody may set it.
protocol WallClock: Sendable {
    var now: Timestamp { get }

    /// Returns when a moment is reached, when the clock is set, and when the task is cancelled; it may do so earlier.
    /// - Parameters:
    ///   - moment: nil: only for the others.
    ///   - seen: what ``now`` was when the moment was chosen.
    func sleep(until moment: Timestamp?, since seen: Timestamp) async
}

/// The machine's.
struct SystemClock: WallClock {
    var now: Timestamp { .now }

    func sleep(until moment: Timestamp?, since seen: Timestamp) async {
        let raw = kinto_alarm(moment?.milliseconds ?? SystemClock.far)
        guard raw >= 0 else {
            // No descriptor is left: it looks again in a while.
            try? await Task.sleep(for: .seconds(1))
            return
        }
        let alarm = Descriptor(owning: raw)
        // Set back between the choice and the alarm, which does not know.
        guard now >= seen else { return }
        let (rings, ring) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let source = ReadSource(alarm) {
            var poller = pollfd(fd: alarm.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 0) > 0 else { return }
            // So that it is not told again and again until it is let go.
            var count: UInt64 = 0
            _ = read(alarm.raw, &count, MemoryLayout<UInt64>.size)
            ring.yield()
        }
        for await _ in rings { break }
        source.cancel()
    }

    /// The year 2200.
    private static let far: Int64 = 7_258_118_400_000
}
