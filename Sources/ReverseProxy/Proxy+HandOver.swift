// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization
internal import Wire

/// The old proxy's side of a replacement.
extension Proxy {
    /// How long the successor may take to prepare itself, and then to have the answer, in milliseconds.
    static let preparation = 5_000

    /// Gives the listening sockets to another proxy and retires when that is ready. If it never says so, nothing was
    /// changed: this one has accepted all the while.
    func handOver(to successor: UInt64?, over connection: Descriptor, milliseconds: Int) {
        let isDone = isReplaced.withLock { isReplaced in
            guard !isReplaced else {
                tell(Proxy.handedOver, over: connection)
                return false
            }
            do { try give(to: successor, over: connection) } catch {
                // Always said: an end without a word means that this process died.
                tell(.failed(code: "handed-over", message: "not handed over: \(error)"), over: connection)
                return false
            }
            isReplaced = true
            return true
        }
        if isDone { retire(milliseconds: milliseconds) }
    }

    /// - Throws: what was in the way; then this one serves on.
    private func give(to successor: UInt64?, over connection: Descriptor) throws {
        let (table, sockets) = current.withLock { ($0.table, $0.sockets) }
        guard sockets[.hosts] != nil else { throw WireError.missing("listen") }
        UnixSocket.setPatience(Proxy.preparation, of: connection)
        let ports = sockets.keys.compactMap { if case .port(let port) = $0 { port } else { nil } }.sorted()
        try Frame.write(ProxyReply.sockets(table, addresses, ports: ports).fields, to: connection)
        for door in [.hosts, .secure] + ports.map(Listener.Door.port) {
            if let socket = sockets[door] { try UnixSocket.send(socket, over: connection) }
        }
        guard let fields = try Frame.read(from: connection), try ProxyRequest(fields) == .ready else {
            throw WireError.missing("ready")
        }
        // From the first step to the last it can be taken back: the other may have ended in this moment.
        let next = try place.map { own in
            guard let successor else { throw WireError.missing("place") }
            return ProxyPlace("\(own.parent)/\(successor)")
        }
        try next?.makeCurrent()
        accept(false)
        do { try Frame.write(ProxyReply.ok.fields, to: connection) } catch {
            try? place?.makeCurrent()
            accept(true)
            throw error
        }
        current.withLock { $0.sockets = [:] }
    }

    /// Begins or stops to take visitors; the sockets stay as they are, for they may be another process's, too.
    func accept(_ wanted: Bool) {
        current.withLock { current in
            guard current.isAccepting != wanted else { return }
            current.isAccepting = wanted
            for (door, socket) in current.sockets {
                if wanted {
                    watch(socket, door)
                } else {
                    everywhere { $0.forget(socket.raw) }
                }
            }
        }
    }

    /// Sockets of stable ports that the proxy before had open.
    func inherit(_ sockets: [UInt16: Descriptor]) {
        current.withLock { current in
            for (port, socket) in sockets { current.sockets[.port(port)] = socket }
        }
    }

    /// Lets in who has come to a socket that is not served any more, and closes it.
    func finish(_ socket: Descriptor, _ door: Listener.Door) {
        mailboxes.first?.post { $0.finish(Listener(socket, door, worker: $0)) }
    }

    /// Lets what is here come to its end, at most so long, and ends the process.
    private func retire(milliseconds: Int) {
        ProxyMain.say("handed over; going on with what is here for at most \(milliseconds) ms")
        status.store(ProxyPlace.finalStatus, ordering: .sequentiallyConsistent)
        everywhere { $0.retire() }
        Thread.start { [self] in
            let never = Latch(1)
            never.wait(milliseconds: milliseconds)
            everywhere { $0.cut() }
            // For the last words.
            never.wait(milliseconds: Int(Limits.lingerTime) + 1_000)
            exit(ProxyPlace.finalStatus)
        }
    }

    private func tell(_ reply: ProxyReply, over connection: Descriptor) {
        try? Frame.write(reply.fields, to: connection)
    }
}
