// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// A visitor's connection: one request after another, each sent to the upstream that is in force when its head is
/// complete. A swap never touches it.
final class ClientConnection: Endpoint {
    private enum State {
        case head
        case exchange
        /// No instance takes the request now.
        case held
        case tunnel
        /// The last answer is on its way out.
        case closing
        /// It is out, but the visitor may still be sending what nobody reads: closing now would reset the connection
        /// and could take the answer away (RFC 9112, 9.6).
        case lingering
    }

    private let port: UInt16?
    let address: [UInt8]
    private var state = State.head
    private var input = ByteQueue()
    private var output = ByteQueue()
    // Of the request on its way:
    private var route: UpstreamState?
    private var upstream: UpstreamConnection?
    private var requestBody: BodyFraming?
    private var responseBody: BodyFraming?
    private var isHead = false
    private var isIdempotent = false
    private var wantsUpgrade = false
    private var minor = 1
    private var keepsAlive = true
    private var upstreamKeepsAlive = true
    /// The request as sent so far, for a second try on a fresh connection; nil when it cannot be repeated.
    private var replay: [UInt8]?
    /// Instances that took no connection for this request.
    private var tried: [UpstreamState.Server] = []
    private var hasAnswered = false
    /// How many interim answers came.
    private var interims = 0
    /// How often it was sent again though the connection was not an old one.
    private var repeats = 0
    /// All of the request so far while it is held, and until when it may be, once it was.
    private var pending: [UInt8] = []
    private var heldUntil: Int64?
    private var isDelayed = false
    /// By which the rest of the answer goes, when it is long.
    private var pipe: SplicePipe?
    /// Of a WebSocket; nil for other tunnels.
    private var frames: WebSocketFrames?
    /// Whether the answer is a stream of events: one that may end between any two.
    private var isEventStream = false
    /// Whether the visitor takes the end of the connection for the end of the answer.
    private var endsByClosing = false
    // The last route that was looked up, the table it is from, and the place among the upstream's clients.
    private var lastHost: ArraySlice<UInt8> = []
    private var lastRoute: Router.Route?
    private var lastTable = -1
    var slot = -1
    private var inputEnded = false
    /// When the last answer was out, or the connection came.
    private var quietSince: Int64 = 0
    /// Requests wait until the visitor has read answers.
    private var isHeldBack = false

    init(fd: Int32, port: UInt16?, address: [UInt8], worker: Worker) {
        self.port = port
        self.address = address
        super.init(fd: fd, interest: Endpoint.input, worker: worker)
        quietSince = worker.now
        deadline = worker.now + Int64(worker.limits.headerTime)
    }

    var isUpstreamPaused: Bool { output.count > Limits.buffered || isSplicing && pipe?.count != 0 }
    var isSplicing: Bool { pipe != nil }

    override func ready(_ events: UInt32) {
        if events & (Endpoint.input | Endpoint.broken) != 0,
            events & Endpoint.broken != 0 || interest & Endpoint.input != 0
        {
            let wasEmpty = input.isEmpty
            switch input.fill(from: fd, by: worker.scratch) {
            case .bytes:
                // From its first byte, a head has so long to become whole, however slowly it comes.
                if state == .head, wasEmpty, output.isEmpty {
                    deadline = worker.now + Int64(worker.limits.headerTime)
                }
                if state == .lingering { input.drop(input.count) }
            case .end:
                // A visitor may close its side and still read the answers to what it sent.
                inputEnded = true
                if state == .lingering || events & Endpoint.broken != 0 { return visitorLeft() }
            case .failed: return visitorLeft()
            case .wouldBlock: break
            }
        }
        if isSplicing, events & Endpoint.output != 0 { spliceAnswer() }
        guard isOpen else { return }
        advance()
    }

    override func expired() {
        switch state {
        case .head where worker.stopping && input.isEmpty && output.isEmpty: takeLeave()
        case .head where input.isEmpty || !output.isEmpty: close()
        case .head: refuse(408, "the request did not arrive in time")
        case .held:
            worker.letGo(self)
            endHold()
            answer(503, "no instance took the request in time", retry: true)
            advance()
        default:
            releaseUpstream(reusable: false)
            unclaim(failed: false)
            if state == .lingering { close() } else { cut() }
        }
    }

    /// Nothing for a while: the memory goes back.
    override func rest() {
        guard state == .head, input.isEmpty, worker.now > quietSince + Limits.restTime else {
            return
        }
        input.release()
        output.release()
        replay = nil
        lastHost = []
        lastRoute = nil
        lastTable = -1
    }

    /// Since when nothing is asked and nothing answered; nil: it is in use.
    var restsSince: Int64? { state == .head && input.isEmpty && output.isEmpty ? quietSince : nil }

    /// Leaves its place to another visitor, unless it is in use.
    func giveWay() {
        // A request may be there, unread.
        ready(Endpoint.input)
        if isOpen, restsSince != nil { close() }
    }

    /// The proxy is at its end: the next request is the last, and it must come soon.
    func retire() {
        if restsSince != nil { deadline = min(deadline, worker.now + Limits.farewellTime) }
    }

    /// The end of what does nothing, or waits.
    func endHastily() {
        if isOpen, state == .held { expired() }
        closeIfIdle()
    }

    /// Ends a connection that rests. What the visitor sends in this moment is read, so that it sees an end and no reset:
    /// it knows that nothing was done with it.
    private func takeLeave() {
        requestBody = nil
        closeWhenSent()
        flush()
    }

    func closeIfIdle() {
        // A request may be there, unread.
        if state == .head, input.isEmpty { ready(Endpoint.input) }
        guard isOpen, state == .head, input.isEmpty else { return }
        closeWhenSent()
        flush()
    }

    /// Reads what is there, moves it on, and waits for the right things.
    private func advance() {
        repeat {
            isHeldBack = false
            takeInput()
            flush()
        } while isOpen && isHeldBack && output.count <= Limits.buffered
    }

    private func takeInput() {
        loop: while isOpen {
            switch state {
            case .head:
                guard takeHead() else { break loop }
            case .exchange:
                pumpRequest()
                guard isOpen, state == .head else { break loop }
            case .tunnel:
                if let upstream {
                    upstream.output.append(input.bytes)
                    input.drop(input.count)
                    upstreamWritable()
                }
                break loop
            case .held, .closing, .lingering: break loop
            }
        }
    }

    // MARK: The request

    /// False when more bytes are needed.
    private func takeHead() -> Bool {
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

    private func begin(_ head: MessageHead) throws(MessageHead.Refusal) {
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

        guard let found = find(host) else {
            return answer(
                404, "no service answers to the host name '\(RequestRewriter.shown(host))'", retry: false)
        }
        if let closed = found.maintenance, !isAllowed(closed) { return answer(closed) }
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
                head, framing: framing, host: host, address: address, upgrade: wantsUpgrade,
                to: &connection.output)
            if isIdempotent { replay = Array(connection.output.bytes.dropFirst(before)) }
            return send(on: connection)
        }
        var bytes = ByteQueue()
        RequestRewriter.write(
            head, framing: framing, host: host, address: address, upgrade: wantsUpgrade, to: &bytes)
        guard let server else { return hold(found, Array(bytes.bytes)) }
        connectElsewhere(than: server, sending: Array(bytes.bytes))
    }

    /// By the port it came in on or by its host name; the last answer is kept as long as the table is.
    private func find(_ host: ArraySlice<UInt8>) -> Router.Route? {
        if let port { return worker.router.route(port: port) }
        if lastTable == worker.tables, lastHost == host { return lastRoute }
        lastTable = worker.tables
        lastHost = host
        lastRoute = worker.router.route(host: host)
        return lastRoute
    }

    // MARK: Holding

    /// The name of the route whose instances a held request waits for.
    var heldFor: String? { state == .held ? current?.identifier ?? "" : nil }

    /// Where the request goes by the table in force now.
    private var current: Router.Route? { find(lastHost) }

    /// - Parameter bytes: of the request, all that there is so far; nothing of it was sent.
    private func hold(_ found: Router.Route, _ bytes: [UInt8]) {
        let until = heldUntil ?? worker.now + found.hold
        heldUntil = until
        state = .exchange
        guard worker.now < until, worker.hold(self) else {
            return answer(503, "no instance of \(found.identifier) takes requests now", retry: true)
        }
        state = .held
        pending = bytes
        deadline = until
        listen()
    }

    private func endHold() {
        pending = []
        state = .exchange
    }

    /// Whether the request waits no longer.
    func tryAgain() -> Bool {
        guard state == .held else { return true }
        let bytes = pending
        endHold()
        guard let found = current else {
            answer(404, "no service answers to the host name any more", retry: false)
            advance()
            return true
        }
        if let closed = found.maintenance, !isAllowed(closed) {
            answer(closed)
            advance()
            return true
        }
        guard !found.isPaused, let target = found.upstream,
            let server = target.pick(except: [], now: worker.now)
        else {
            hold(found, bytes)
            if state != .held { advance() }
            return state != .held
        }
        claim(target)
        // Once, however often it is held.
        if !isDelayed { target.counters.delayed += 1 }
        isDelayed = true
        tried = []
        if isIdempotent, requestBody?.isDone == true { replay = bytes }
        connect(server, sending: bytes)
        if state == .exchange { advance() }
        return state != .held
    }

    private func isAllowed(_ closed: Maintenance) -> Bool {
        let visitor = String(decoding: address, as: UTF8.self)
        return closed.allow.contains { $0.contains(visitor) }
    }

    private func answer(_ closed: Maintenance) {
        let keepsAlive = keepsAlive && requestBody?.isDone == true
        ResponseRewriter.closed(closed, keepsAlive: keepsAlive, bodiless: isHead, to: &output)
        guard keepsAlive else {
            closeWhenSent()
            return flush()
        }
        state = .head
        awaitHead()
    }

    private func claim(_ target: UpstreamState) {
        route = target
        target.counters.requests += 1
        target.counters.inFlight += 1
        target.add(self)
    }

    /// A kept connection that may be used for this request, else a new one; nil when there is none to be had.
    private func take(_ server: UpstreamState.Server) -> UpstreamConnection? {
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
    private func connect(_ server: UpstreamState.Server, sending bytes: [UInt8]) {
        guard let connection = UpstreamConnection(server: server, worker: worker) else {
            return connectElsewhere(than: server, sending: bytes)
        }
        connection.output.append(bytes)
        send(on: connection)
    }

    private func send(on connection: UpstreamConnection) {
        connection.client = self
        connection.server.inFlight += 1
        upstream = connection
        upstreamKeepsAlive = true
        if connection.isReused {
            connection.deadline = worker.now + Limits.answerTime
            upstreamWritable()
        }
    }

    private func pumpRequest() {
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

    // MARK: The upstream

    func upstreamWritable() {
        guard let upstream, upstream.isOpen, upstream.isConnected else { return }
        if !upstream.flush() {
            // It takes no more, but may have answered before: that is read to its end, which the next event reports.
            return listen()
        }
        if state == .tunnel, inputEnded, upstream.output.isEmpty { shutdown(upstream.fd, Int32(SHUT_WR)) }
        watch(upstream)
        listen()
        if state == .exchange, requestBody?.isDone == false, !input.isEmpty,
            upstream.output.count <= Limits.buffered / 2
        {
            pumpRequest()
        }
    }

    func upstreamSpoke() {
        guard let upstream else { return }
        watch(upstream)
        if state == .tunnel {
            frames?.pass(upstream.input.bytes)
            output.append(upstream.input.bytes)
            upstream.input.drop(upstream.input.count)
            return flush()
        }
        while responseBody == nil, isOpen, state == .exchange {
            guard let end = MessageHead.end(in: upstream.input.bytes) else {
                if upstream.input.count > worker.limits.headerBytes {
                    failRequest(502, "the head of the answer is too large")
                }
                return
            }
            let bytes = Array(upstream.input.bytes[..<end])
            upstream.input.drop(bytes.count)
            do throws(MessageHead.Refusal) {
                try takeAnswer(MessageHead(bytes, request: false, limits: worker.limits))
            } catch {
                return failRequest(502, "the answer of the service is malformed: \(error.reason)")
            }
        }
        guard isOpen, state == .exchange else { return flush() }
        pumpAnswer()
    }

    private func takeAnswer(_ head: MessageHead) throws(MessageHead.Refusal) {
        guard let upstream else { return }
        let status = head.bytes[head.second].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        if status == 101 {
            guard wantsUpgrade else {
                throw MessageHead.Refusal(status: 502, reason: "101 was not asked for")
            }
            ResponseRewriter.write(head, framing: .none, keepsAlive: true, upgrade: true, to: &output)
            hasAnswered = true
            state = .tunnel
            replay = nil
            watch(upstream)
            frames = head.lists("upgrade", "websocket") ? WebSocketFrames() : nil
            frames?.pass(upstream.input.bytes)
            output.append(upstream.input.bytes)
            upstream.input.drop(upstream.input.count)
            upstream.output.append(input.bytes)
            input.drop(input.count)
            upstreamWritable()
            return
        }
        if status < 200 {
            try AnswerFraming.checkInterim(head)
            interims += 1
            guard interims <= Limits.interims else {
                throw MessageHead.Refusal(status: 502, reason: "interim answers without end")
            }
            // Interim answers go through; a visitor of HTTP/1.0 does not know them.
            if minor == 1 {
                ResponseRewriter.write(head, framing: .none, keepsAlive: true, upgrade: false, to: &output)
            }
            return flush()
        }
        let framing = try AnswerFraming(head, status: status, isHead: isHead, minor: minor)
        route?.answered(status, now: worker.now)
        hasAnswered = true
        replay = nil
        upstreamKeepsAlive = framing.upstreamKeepsAlive
        // An answer before the end of the request: the rest of the request is not waited for.
        if framing.endsByClosing || requestBody?.isDone == false { keepsAlive = false }
        responseBody = BodyFraming(framing.body, output: framing.output)
        isEventStream =
            framing.output == .chunks
            && head.values("content-type").contains { MessageHead.begins($0, "text/event-stream") }
        endsByClosing = framing.endsByClosing
        ResponseRewriter.write(
            head, framing: framing.told, keepsAlive: keepsAlive && !worker.stopping, upgrade: false,
            to: &output)
        if worker.stopping { keepsAlive = false }
    }

    private func pumpAnswer() {
        guard let upstream, var body = responseBody else { return }
        do { try body.move(&upstream.input, to: &output) } catch {
            return failRequest(502, "the body of the answer is malformed")
        }
        responseBody = body
        if body.isDone {
            finishExchange()
        } else {
            flush()
            if body.plainBytesLeft >= SplicePipe.worthwhile, output.isEmpty, isOpen,
                self.upstream === upstream
            {
                pipe = worker.pipe()
            }
        }
    }

    /// A broken connection is reported until it is read to its end: what is left of the answer is copied.
    func stopSplicing() {
        guard let pipe else { return }
        pipe.drain(into: &output, by: worker.scratch)
        self.pipe = nil
        worker.giveBack(pipe)
    }

    /// Moves on what is there of a long answer, as much as the visitor takes.
    func spliceAnswer() {
        guard let pipe, let upstream, var body = responseBody else { return }
        // Bounded, so that others get their turn.
        for _ in 0..<16 {
            var isDry = false
            if pipe.count == 0, body.plainBytesLeft > 0 {
                switch pipe.fill(from: upstream.fd, limit: body.plainBytesLeft) {
                case .moved(let count):
                    body.skip(count)
                    responseBody = body
                    watch(upstream)
                case .wouldBlock: isDry = true
                case .end, .failed: return failRequest(502, "the service broke the connection off")
                }
            }
            if pipe.count > 0 {
                switch pipe.flush(to: fd, more: body.plainBytesLeft > 0) {
                case .moved: break
                case .wouldBlock: return listen()
                case .end, .failed: return visitorLeft()
                }
            }
            if pipe.count == 0, body.isDone {
                self.pipe = nil
                worker.giveBack(pipe)
                return finishExchange()
            }
            if isDry { break }
        }
        listen()
    }

    /// The answer is complete.
    private func finishExchange() {
        let reusable = upstreamKeepsAlive && requestBody?.isDone == true && upstream?.isInStep == true
        releaseUpstream(reusable: reusable)
        unclaim(failed: false)
        if keepsAlive {
            state = .head
            awaitHead()
            advance()
        } else {
            closeWhenSent()
            flush()
        }
    }

    func upstreamEnded() {
        if state == .tunnel {
            releaseUpstream(reusable: false)
            unclaim(failed: false)
            // The visitor may be sending.
            requestBody = nil
            closeWhenSent()
            return flush()
        }
        if var body = responseBody, body.endsWithConnection, upstream?.isBroken == false {
            body.finish(to: &output)
            responseBody = body
            return finishExchange()
        }
        upstreamFailed(connecting: false)
    }

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
    private func connectElsewhere(than server: UpstreamState.Server, sending bytes: [UInt8]) {
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
    private func watch(_ upstream: UpstreamConnection) {
        upstream.deadline =
            state == .tunnel
            ? .max : worker.now + (responseBody == nil ? Limits.answerTime : Limits.streamTime)
    }

    func upstreamTimedOut() {
        if state == .tunnel { return }
        failRequest(504, "the service did not answer in time")
    }

    func isServed(by server: UpstreamState.Server) -> Bool { upstream?.server === server }

    private func releaseUpstream(reusable: Bool) {
        pipe = nil
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
    private func unclaim(failed: Bool, undone: Bool = false) {
        guard let target = route else { return }
        if undone { target.counters.requests -= 1 }
        route = nil
        target.remove(self)
        target.counters.inFlight -= 1
        if failed { target.counters.failed += 1 }
        if target.counters.inFlight == 0 { target.endDrain() }
    }

    // MARK: Ends

    private func failRequest(_ status: Int, _ reason: String) {
        if !hasAnswered { route?.answered(status, now: worker.now) }
        releaseUpstream(reusable: false)
        unclaim(failed: true)
        if hasAnswered {
            // Part of the answer is out: only the end of the connection can say that the rest is missing.
            cut()
        } else {
            refuse(status, reason)
        }
    }

    /// Cut at the end of a drain. What has a proper end gets it: a WebSocket its Close frame, a stream of events its
    /// last chunk; their clients connect again by themselves.
    func abandon() {
        if state == .tunnel, frames?.isBetween == true {
            output.append(WebSocketFrames.close)
        } else if state == .exchange, isEventStream, var body = responseBody, !body.isDone {
            body.finish(to: &output)
        } else {
            return failRequest(504, "the release was replaced and stopped before it answered")
        }
        releaseUpstream(reusable: false)
        unclaim(failed: true)
        requestBody = nil
        closeWhenSent()
        flush()
    }

    /// Ends the connection within an answer; with a reset where the plain end would make the answer look whole.
    private func cut() {
        if isOpen, endsByClosing {
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        }
        close()
    }

    private func visitorLeft() {
        releaseUpstream(reusable: false)
        unclaim(failed: false)
        close()
    }

    /// An answer of the proxy's own to a request that is well-formed: the connection lives on.
    private func answer(_ status: Int, _ reason: String, retry: Bool) {
        guard keepsAlive, requestBody?.isDone == true else { return refuse(status, reason, retry: retry) }
        ResponseRewriter.own(status, reason, keepsAlive: true, retry: retry, bodiless: isHead, to: &output)
        state = .head
        awaitHead()
    }

    private func refuse(_ status: Int, _ reason: String, retry: Bool = false) {
        ResponseRewriter.own(status, reason, keepsAlive: false, retry: retry, bodiless: isHead, to: &output)
        closeWhenSent()
        flush()
    }

    private func closeWhenSent() {
        state = .closing
        deadline = worker.now + Int64(worker.limits.stallTime)
    }

    /// How long the next request may take; a visitor that still reads the last answer is not hurried.
    private func awaitHead() {
        let limits = worker.limits
        let time = !output.isEmpty ? limits.stallTime : input.isEmpty ? limits.idleTime : limits.headerTime
        quietSince = worker.now
        deadline = worker.now + Int64(time)
        if worker.stopping { retire() }
    }

    private func flush() {
        guard isOpen else { return }
        let waiting = output.count
        guard output.flush(to: fd) else { return visitorLeft() }
        if output.count < waiting {
            if state == .head { awaitHead() }
            if state == .closing { deadline = worker.now + Int64(worker.limits.stallTime) }
        }
        if output.isEmpty, state == .closing {
            if inputEnded || requestBody?.isDone == true && input.isEmpty { return close() }
            shutdown(fd, Int32(SHUT_WR))
            input.drop(input.count)
            state = .lingering
            deadline = worker.now + Limits.lingerTime
        }
        listen()
    }

    private func listen() {
        guard isOpen else { return }
        let pausedIn =
            state == .closing || (state == .held && input.count > Limits.read)
            || (upstream.map { $0.output.count > Limits.buffered } ?? false)
            || (state == .exchange && requestBody?.isDone == true && input.count > Limits.read) || inputEnded
            || (state == .head && output.count > Limits.buffered)
        let isWaiting = !output.isEmpty || isSplicing && pipe?.count != 0
        want((pausedIn ? 0 : Endpoint.input) | (isWaiting ? Endpoint.output : 0))
        if state == .exchange || state == .tunnel {
            // Only who is waited for can be late: a visitor that has sent all and read all may wait for hours.
            let isSending = state == .exchange && requestBody?.isDone == false && !pausedIn
            let isEnding = state == .tunnel && inputEnded
            deadline =
                isSending || isEnding || isWaiting ? worker.now + Int64(worker.limits.stallTime) : .max
        }
        if let upstream, upstream.isConnected {
            upstream.want(
                (isUpstreamPaused ? 0 : Endpoint.input) | (upstream.output.isEmpty ? 0 : Endpoint.output))
        }
    }
}
