// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// The request on its way in.
extension ClientConnection {
    /// False when more bytes are needed.
    func takeHead() -> Bool {
        isHeldBack = output.count > Limits.buffered
        guard !isHeldBack else { return false }
        // Empty lines before a request are passed over (RFC 9112, 2.2).
        while input.count >= 2, input.bytes.prefix(2).elementsEqual([0x0D, 0x0A]) { input.drop(2) }
        guard !worker.isHasty && !inputEnded || !input.isEmpty else {
            closeWhenSent()
            return false
        }
        requestBody = nil
        isHead = false
        guard let end = MessageHead.end(in: input.bytes) else {
            if input.count > worker.limits.headerBytes {
                refuse(431, "the head of the request is too large")
            } else if input.count > 1, input.bytes.starts(with: [0x16, 0x03]) {
                refuse(400, "this is TLS; the proxy speaks HTTP here")
            } else if inputEnded {
                closeWhenSent()
            }
            return false
        }
        let bytes = Array(input.bytes[..<end])
        input.drop(bytes.count)
        guard bytes.count <= worker.limits.headerBytes else {
            refuse(431, "the head of the request is too large")
            return false
        }
        do throws(MessageHead.Refusal) {
            try begin(MessageHead(bytes, request: true, limits: worker.limits))
        } catch {
            refuse(error.status, error.reason)
            return false
        }
        return isOpen
    }

    func begin(_ head: MessageHead) throws(MessageHead.Refusal) {
        let method = head.bytes[head.first]
        minor = head.minor
        keepsAlive = minor == 1 && !head.connection.contains(.close) && !worker.stopping
        func isMethod(_ word: StaticString) -> Bool {
            method.count == word.utf8CodeUnitCount
                && method.elementsEqual(
                    UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        }
        isHead = isMethod("HEAD")
        isIdempotent =
            isMethod("GET") || isHead || isMethod("PUT") || isMethod("DELETE") || isMethod("OPTIONS")
        if isMethod("CONNECT") || isMethod("TRACE") {
            throw MessageHead.Refusal(status: 405, reason: "the method is not allowed")
        }
        let host = try RequestRewriter.host(head)
        let framing = try head.framing() ?? .none
        guard head.vias < Limits.vias else {
            throw MessageHead.Refusal(status: 508, reason: "a loop of proxies")
        }
        requestBody = BodyFraming(framing, output: framing == .chunked ? .chunks : .plain)

        if !isSecure, port == nil, let tls = worker.tls, let own = tls.answer(head, host: host) {
            return answer(own)
        }
        guard let found = find(host) else {
            return answer(
                404, "no service answers to the host name '\(RequestRewriter.shown(host))'", retry: false)
        }
        if let closed = found.maintenance, !isAllowed(closed) { return answer(OwnAnswer(closed)) }
        // Not to HTTP/2: through a tunnel of it requests would come in that the proxy has not written.
        wantsUpgrade =
            minor == 1 && head.connection.contains(.upgrade) && head.hasUpgrade
            && !head.lists("upgrade", "h2c")
        hasAnswered = false
        interims = 0
        endsByClosing = false
        responseBody = nil
        tried = []
        repeats = 0
        heldUntil = nil
        isDelayed = false
        replay = nil
        if !found.isPaused, serve(head, from: found) { return }
        let target = found.isPaused ? nil : found.upstream
        let server = target?.pick(except: [], now: worker.now)
        if let target, server != nil {
            claim(target)
            state = .exchange
        } else if found.hold == 0 {
            return answer(503, "\(found.identifier) has no live release now", retry: true)
        }
        if let server, let connection = take(server) {
            let before = connection.output.count
            RequestRewriter.write(
                head, framing: framing, host: host, address: address, isSecure: isSecure,
                upgrade: wantsUpgrade,
                to: &connection.output)
            if isIdempotent { replay = Array(connection.output.bytes.dropFirst(before)) }
            return send(on: connection)
        }
        var bytes = ByteQueue()
        RequestRewriter.write(
            head, framing: framing, host: host, address: address, isSecure: isSecure, upgrade: wantsUpgrade,
            to: &bytes)
        guard let server else { return hold(found, Array(bytes.bytes)) }
        connectElsewhere(than: server, sending: Array(bytes.bytes))
    }

    /// By the port it came in on or by its host name; the last answer is kept as long as the table is.
    func find(_ host: ArraySlice<UInt8>) -> Router.Route? {
        if let port { return worker.router.route(port: port) }
        if lastTable == worker.tables, lastHost == host { return lastRoute }
        lastTable = worker.tables
        lastHost = host
        lastRoute = worker.router.route(host: host)
        return lastRoute
    }

    func claim(_ target: UpstreamState) {
        route = target
        claimedAt = worker.now
        target.counters.requests += 1
        target.counters.inFlight += 1
        target.add(self)
    }

    /// A kept connection that may be used for this request, else a new one; nil when there is none to be had.
    func take(_ server: UpstreamState.Server) -> UpstreamConnection? {
        while let idle = server.idle.popLast() {
            let age = worker.now - idle.lastUsed
            let isRecent = age < Limits.recentTime
            // What may be repeated need not ask the kernel each time whether the other end is still there.
            if isIdempotent && isRecent ? idle.isOpen : idle.isQuiet, age < Limits.poolTime,
                isIdempotent || isRecent
            {
                return idle
            }
            idle.close()
        }
        return UpstreamConnection(server: server, worker: worker)
    }

    /// - Parameter bytes: of the request, as much as there is so far.
    func connect(_ server: UpstreamState.Server, sending bytes: [UInt8]) {
        guard let connection = UpstreamConnection(server: server, worker: worker) else {
            return connectElsewhere(than: server, sending: bytes)
        }
        connection.output.append(bytes)
        send(on: connection)
    }

    func send(on connection: UpstreamConnection) {
        connection.client = self
        connection.server.inFlight += 1
        upstream = connection
        upstreamKeepsAlive = true
        if connection.isReused {
            connection.deadline = worker.now + Limits.answerTime
            upstreamWritable()
        }
    }

    func pumpRequest() {
        guard let upstream, var body = requestBody else { return }
        if !body.isDone, upstream.output.count <= Limits.buffered {
            let before = upstream.output.count
            do { try body.move(&input, to: &upstream.output) } catch {
                releaseUpstream(reusable: false)
                unclaim(failed: false)
                return hasAnswered ? cut() : refuse(400, "malformed request body")
            }
            requestBody = body
            if let kept = replay {
                let added = upstream.output.bytes.dropFirst(before)
                replay = kept.count + added.count <= Limits.replay ? kept + added : nil
            }
        }
        // The rest of the request will not come.
        if inputEnded, !body.isDone, input.isEmpty { return visitorLeft() }
        upstreamWritable()
    }
}
