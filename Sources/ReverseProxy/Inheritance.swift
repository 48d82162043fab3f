// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// What a new proxy has from the one that serves until it is ready: the sockets, and the table in force.
struct Inheritance {
    let table: RoutingTable
    let main: Descriptor
    let secure: Descriptor?
    /// Of the two.
    let addresses: ProxyAddresses
    let ports: [UInt16: Descriptor]
    private let connection: Descriptor

    /// What a proxy finds when it starts.
    enum Finding {
        /// Nobody serves in its stead; who did, or it itself, when it was started again.
        case nobody(ProxyPlace?)
        case predecessor(Inheritance)
        /// Others serve; this one is not to.
        case superseded
    }

    /// Asks the proxy that serves for the hand-over. One that is between its end and its next start is waited for.
    /// - Parameter drain: how long it may go on with what it has then, in milliseconds.
    static func look(from place: ProxyPlace, drain: Int) throws -> Finding {
        let current = ProxyPlace.current(in: place.parent)
        guard let serving = current, serving != place else { return .nobody(current) }
        // It was tried once, and this process died of it.
        if let state = try? SupervisorState.read(place.state), state.ending != nil { return .superseded }
        let watch = Descriptor(owning: try check("inotify_init") { kinto_inotify() })
        inotify_add_watch(watch.raw, serving.directory, UInt32(IN_CREATE))
        for _ in 0..<100 {
            if let connection = try? UnixSocket.connect(serving.socket) {
                return try ask(over: connection, place, drain)
            }
            guard let state = try? SupervisorState.read(serving.state), state.phase != .ended,
                state.supervisor.isRunning
            else { return .nobody(serving) }
            var poller = pollfd(fd: watch.raw, events: Int16(POLLIN), revents: 0)
            poll(&poller, 1, 50)
            var buffer = [UInt8](repeating: 0, count: 4096)
            _ = read(watch.raw, &buffer, buffer.count)
        }
        throw SystemError("connect", serving.socket, code: ETIMEDOUT)
    }

    private static func ask(over connection: Descriptor, _ place: ProxyPlace, _ drain: Int) throws -> Finding
    {
        UnixSocket.setPatience(2 * Proxy.preparation, of: connection)
        let request = ProxyRequest.handOver(place: place.number, milliseconds: drain)
        try Frame.write(request.fields, to: connection)
        guard let fields = try Frame.read(from: connection) else {
            throw SystemError("hand-over", code: ECONNRESET)
        }
        switch try ProxyReply(fields) {
        case .sockets(let table, let addresses, let ports):
            let main = try UnixSocket.receive(from: connection)
            let secure = try addresses.secure.map { _ in try UnixSocket.receive(from: connection) }
            var sockets: [UInt16: Descriptor] = [:]
            for port in ports { sockets[port] = try UnixSocket.receive(from: connection) }
            return .predecessor(
                Inheritance(
                    table: table, main: main, secure: secure, addresses: addresses, ports: sockets,
                    connection: connection))
        default: return .superseded
        }
    }

    /// Says that all is prepared; afterwards this one serves, and no other.
    /// - Returns: false when the other had given it up, and serves on.
    func take(_ place: ProxyPlace) throws -> Bool {
        // An answer may be there even if this is not taken any more.
        try? Frame.write(ProxyRequest.ready.fields, to: connection)
        do {
            if let fields = try Frame.read(from: connection) { return try ProxyReply(fields) == .ok }
        } catch let error as SystemError where error.code == EAGAIN {
            // It stands still. From here on it cannot tell any more that it has handed over; if it did, that is here.
            shutdown(connection.raw, Int32(SHUT_RDWR))
            guard let fields = try Frame.read(from: connection) else { return false }
            return try ProxyReply(fields) == .ok
        } catch let error as SystemError where error.code == ECONNRESET {}
        // It died. Whether before or after it named this one, nobody else has the sockets.
        try place.makeCurrent()
        return true
    }
}
