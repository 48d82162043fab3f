// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Instances that fail, and the way back of their connections to the pool.
extension ClientConnection {
    /// The connection broke: a second try if nothing came back and the request may be repeated, else 502.
    func upstreamFailed(connecting: Bool) {
        guard let upstream, let route else { return }
        let server = upstream.server
        if connecting {
            // Nothing was sent yet.
            let bytes = Array(upstream.output.bytes)
            releaseUpstream(reusable: false)
            return connectElsewhere(than: server, sending: bytes)
        }
        // An old connection may have been at its end; a new one that breaks is an instance that died of something, once
        // of this request perhaps.
        if !upstream.isReused { repeats += 1 }
        if !hasAnswered, state == .exchange, repeats < Limits.repeats, isIdempotent,
            requestBody?.isDone == true, let replay
        {
            releaseUpstream(reusable: false)
            route.counters.retried += 1
            let other = upstream.isReused ? nil : route.pick(except: [server], now: worker.now)
            return connect(other ?? server, sending: replay)
        }
        failRequest(502, "the service broke the connection off")
    }

    /// The instance takes no connection: another one, if there is one that was not tried.
    func connectElsewhere(than server: UpstreamState.Server, sending bytes: [UInt8]) {
        tried.append(server)
        server.avoidedUntil = worker.now + Limits.avoidTime
        guard let route, let next = route.pick(except: tried, now: worker.now) else {
            guard let found = current, found.hold > 0 else {
                return failRequest(502, "the service does not accept connections")
            }
            unclaim(failed: false, undone: true)
            return hold(found, bytes)
        }
        route.counters.retried += 1
        connect(next, sending: bytes)
    }

    /// How long the instance may be silent now.
    func watch(_ upstream: UpstreamConnection) {
        upstream.deadline =
            state == .tunnel
            ? .max : worker.now + (responseBody == nil ? Limits.answerTime : Limits.streamTime)
    }

    func upstreamTimedOut() {
        if state == .tunnel { return }
        failRequest(504, "the service did not answer in time")
    }

    func isServed(by server: UpstreamState.Server) -> Bool { upstream?.server === server }

    func releaseUpstream(reusable: Bool) {
        pipe = nil
        file = nil
        guard let connection = upstream else { return }
        upstream = nil
        connection.client = nil
        connection.server.finished()
        if reusable, connection.isOpen, connection.server.idle.count < Limits.poolSize, let route,
            worker.router.holds(route), route.servers.contains(where: { $0 === connection.server })
        {
            connection.isReused = true
            connection.lastUsed = worker.now
            connection.deadline = worker.now + Limits.poolTime
            connection.want(Endpoint.input)
            connection.server.idle.append(connection)
        } else {
            connection.close()
        }
    }

    /// - Parameter undone: it was not sent at all.
    func unclaim(failed: Bool, undone: Bool = false) {
        guard let target = route else { return }
        if undone { target.counters.requests -= 1 }
        route = nil
        target.remove(self)
        target.counters.inFlight -= 1
        if failed { target.counters.failed += 1 }
        if target.counters.inFlight == 0 { target.endDrain() }
    }
}
