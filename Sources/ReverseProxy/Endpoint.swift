// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// A socket in a worker's epoll set. Confined to the worker's thread.
class Endpoint: Hashable {
    let fd: Int32
    private(set) var interest: UInt32
    /// Monotonic milliseconds; the worker's sweep calls `expired` after it.
    var deadline: Int64 = .max
    var isOpen = true
    // Proof: the worker holds its endpoints and outlives them; a checked reference costs an atomic operation per use.
    unowned(unsafe) let worker: Worker

    init(fd: Int32, interest: UInt32, worker: Worker) {
        self.fd = fd
        self.interest = interest
        self.worker = worker
    }

    func ready(_ events: UInt32) {}
    func expired() {}
    /// Called now and then.
    func rest() {}
    /// Called at the end of the round in which it was asked for (`Worker.turn`).
    func turn() {}
    var isTurnDue = false

    // MARK: Of visitors' connections

    /// The visitor's address; nil for what is none's.
    var visitor: [UInt8]? { nil }
    /// Since when nothing is asked and nothing answered; nil: it is in use.
    var restsSince: Int64? { nil }
    /// Leaves its place to another visitor, unless it is in use.
    func giveWay() {}
    /// The proxy is at its end: the next request is the last, and it must come soon.
    func retire() {}
    /// Ends at once what does nothing.
    func closeIfIdle() {}
    /// The end of what does nothing, or waits.
    func endHastily() {}

    /// Changes what is waited for, if it differs.
    func want(_ wanted: UInt32) {
        guard isOpen, wanted != interest else { return }
        interest = wanted
        worker.modify(self)
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        worker.remove(self)
    }

    static func == (a: Endpoint, b: Endpoint) -> Bool { a === b }
    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

    static let input = UInt32(EPOLLIN.rawValue)
    static let output = UInt32(EPOLLOUT.rawValue)
    static let broken = UInt32(EPOLLERR.rawValue) | UInt32(EPOLLHUP.rawValue)
}
