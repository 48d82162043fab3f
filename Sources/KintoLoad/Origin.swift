// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization

/// The service under the mixed load, one thread per connection. Answers what was asked with a checksum of the body,
/// `/slow` after two seconds, echoes WebSockets, and at SIGTERM finishes what it has.
///
/// PORT says where it listens, KINTO_RELEASE who it is, POST_LOG (if set) where the id of each POST is appended.
final class Origin: Sendable {
    private struct State {
        var isStopping = false
        var connections = 0
        /// Descriptors of those that wait for a request.
        var idle: Set<Int32> = []
    }

    let release: String
    /// -1: none.
    let log: Int32
    private let state = Mutex(State())
    private let ended: StopSignal

    private init(release: String, log: Int32, ended: StopSignal) {
        self.release = release
        self.log = log
        self.ended = ended
    }

    /// Serves until SIGTERM or SIGINT.
    /// - Throws: ``UsageError``: what the environment or the system refuses.
    static func run() throws(UsageError) {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        guard let port = variable("PORT").flatMap(UInt16.init) else {
            throw UsageError("PORT is not set to a port")
        }
        let log =
            variable("POST_LOG").map { open($0, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600) } ?? -1
        guard log >= 0 || variable("POST_LOG") == nil else { throw UsageError("POST_LOG: errno \(errno)") }
        let ends = [SIGTERM, SIGINT]
        let signals = kinto_signalfd(ends, Int32(ends.count))
        let ended = StopSignal(descriptor: kinto_eventfd())
        let listener = Self.listener(port)
        guard signals >= 0, ended.descriptor >= 0, listener >= 0 else {
            throw UsageError("cannot listen on port \(port): errno \(errno)")
        }
        let origin = Origin(release: variable("KINTO_RELEASE") ?? "0", log: log, ended: ended)
        while true {
            var events = [
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&events, 2, -1) >= 0 || errno == EINTR else { break }
            origin.accept(from: listener)
            if events[1].revents != 0 { break }
        }
        origin.stop()
        // Whoever had connected already is served.
        origin.accept(from: listener)
        close(listener)
        origin.finish()
    }

    /// Whether connections are closed after their answer.
    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// The connection waits for a request. Once the origin is to stop, it reads what is there already, then its end.
    func wait(_ descriptor: Int32) {
        state.withLock { state in
            if state.isStopping {
                shutdown(descriptor, Int32(SHUT_RD))
            } else {
                state.idle.insert(descriptor)
            }
        }
    }

    /// The connection has a request.
    func begin(_ descriptor: Int32) { state.withLock { _ = $0.idle.remove(descriptor) } }

    private func accept(from listener: Int32) {
        while true {
            let descriptor = kinto_accept(listener, nil, nil)
            guard descriptor >= 0 else { return }
            _ = fcntl(descriptor, F_SETFL, 0)
            state.withLock { $0.connections += 1 }
            let thread = Threads.start {
                OriginConnection(self, Stream(descriptor)).run()
                self.leave()
            }
            if let thread { pthread_detach(thread) } else { leave() }
        }
    }

    private func leave() {
        let isLast = state.withLock { state in
            state.connections -= 1
            return state.isStopping && state.connections == 0
        }
        if isLast { ended.raise() }
    }

    private func stop() {
        state.withLock { state in
            state.isStopping = true
            for descriptor in state.idle { shutdown(descriptor, Int32(SHUT_RD)) }
            state.idle = []
        }
    }

    private func finish() {
        while state.withLock({ $0.connections > 0 }) {
            var event = pollfd(fd: ended.descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&event, 1, -1) > 0 {
                var count: UInt64 = 0
                _ = read(ended.descriptor, &count, 8)
            }
        }
    }

    /// - Returns: -1 and errno when the system refuses.
    private static func listener(_ port: UInt16) -> Int32 {
        let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let descriptor = socket(AF_INET, Int32(kind), 0)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return bound == 0 && listen(descriptor, 1024) == 0 ? descriptor : -1
    }
}
