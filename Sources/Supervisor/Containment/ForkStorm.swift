// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Sees a service that asks for processes beyond its limit without end. For each one that is refused the kernel makes a copy
/// of the process and throws it away, which keeps a processor from everybody else, whatever the service's weight.
struct ForkStorm {
    /// Refusals in a time (milliseconds) that no program means: it tries again after each, and does nothing else.
    private static let (most, time): (Int, Int64) = (500, 500)
    /// The same for one that did: it is seen sooner.
    private static let (mostAgain, timeAgain): (Int, Int64) = (100, 100)

    private let file: Descriptor
    /// The kernel says that something was refused; else it is asked now and then.
    private let isTold: Bool
    private var counted = 0
    private var isDue = false
    private var isKnown = false
    /// Monotonic milliseconds: when the count begins anew.
    private var end: Int64

    /// nil: the kernel does not count.
    init?(_ group: ControlGroup?, now: Int64) {
        guard let path = group?.refusals, let file = try? Descriptor.open(path, O_RDONLY) else { return nil }
        self.file = file
        isTold = group?.groups.controllers.contains(.pids) == true
        end = now + ForkStorm.time
        counted = refused ?? 0
    }

    /// nil: the next event is soon enough.
    var nextTime: Int64? { isTold ? nil : end }

    /// To be waited for, with POLLPRI.
    var poller: pollfd { pollfd(fd: isTold ? file.raw : -1, events: Int16(POLLPRI), revents: 0) }

    /// After an event.
    mutating func told() { isDue = true }

    /// - Returns: whether there is one.
    mutating func look(_ now: Int64) -> Bool {
        guard isDue || now >= end else { return false }
        isDue = false
        guard let refused else { return false }
        let isStorm = refused - counted >= (isKnown ? ForkStorm.mostAgain : ForkStorm.most)
        if isStorm { isKnown = true }
        if isStorm || now >= end {
            counted = refused
            end = now + (isKnown ? ForkStorm.timeAgain : ForkStorm.time)
        }
        return isStorm
    }

    /// How many were refused since the group was made. Reading it is what the next event waits for.
    private var refused: Int? {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pread(file.raw, &buffer, buffer.count, 0)
        // "max 123"
        for line in buffer.prefix(max(0, count)).split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "))
            if words.count == 2, words[0].elementsEqual("max".utf8) {
                return Int(String(decoding: words[1], as: UTF8.self))
            }
        }
        return nil
    }
}
