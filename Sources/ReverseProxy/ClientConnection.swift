// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// A visitor's connection: one request after another, each sent to the upstream that is in force when its head is
/// complete. A swap never touches it.
class ClientConnection: Endpoint {
    enum State {
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

    let port: UInt16?
    let address: [UInt8]
    var state = State.head
    var input = ByteQueue()
    var output = ByteQueue()
    // Of the request on its way:
    var route: UpstreamState?
    var claimedAt: Int64 = 0
    var upstream: UpstreamConnection?
    var requestBody: BodyFraming?
    var responseBody: BodyFraming?
    var isHead = false
    var isIdempotent = false
    var wantsUpgrade = false
    var minor = 1
    var keepsAlive = true
    var upstreamKeepsAlive = true
    /// The request as sent so far, for a second try on a fresh connection; nil when it cannot be repeated.
    var replay: [UInt8]?
    /// Instances that took no connection for this request.
    var tried: [UpstreamState.Server] = []
    var hasAnswered = false
    /// How many interim answers came.
    var interims = 0
    /// How often it was sent again though the connection was not an old one.
    var repeats = 0
    /// All of the request so far while it is held, and until when it may be, once it was.
    var pending: [UInt8] = []
    var heldUntil: Int64?
    var isDelayed = false
    /// By which the rest of the answer goes, when it is long.
    var pipe: SplicePipe?
    /// What is left of an answer that is a file.
    var file: FileBody?
    /// Since `advance` looked: the next request may be there already.
    var hasEndedFile = false
    /// Of a WebSocket; nil for other tunnels.
    var frames: WebSocketFrames?
    /// Whether the answer is a stream of events: one that may end between any two.
    var isEventStream = false
    /// Whether the visitor takes the end of the connection for the end of the answer.
    var endsByClosing = false
    // The last route that was looked up, the table it is from, and the place among the upstream's clients.
    var lastHost: ArraySlice<UInt8> = []
    var lastRoute: Router.Route?
    var lastTable = -1
    var slot = -1
    var inputEnded = false
    /// When the last answer was out, or the connection came.
    var quietSince: Int64 = 0
    /// Requests wait until the visitor has read answers.
    var isHeldBack = false

    override var visitor: [UInt8]? { address }

    init(fd: Int32, port: UInt16?, address: [UInt8], worker: Worker) {
        self.port = port
        self.address = address
        super.init(fd: fd, interest: Endpoint.input, worker: worker)
        quietSince = worker.now
        deadline = worker.now + Int64(worker.limits.headerTime)
    }

    var isUpstreamPaused: Bool { output.count > patience || isSplicing && pipe?.count != 0 }
    var isSplicing: Bool { pipe != nil }

    // MARK: The visitor's side, which differs with what it speaks

    /// Whether it comes over TLS.
    var isSecure: Bool { false }
    /// Whether long answers may go on without passing through this process.
    var canSplice: Bool { true }
    /// How many bytes of answers may wait for the visitor before the instance has to.
    var patience: Int { Limits.buffered }

    /// Reads what is there.
    func receive(_ input: inout ByteQueue) -> ByteQueue.Outcome { input.fill(from: fd, by: worker.scratch) }

    /// As much as the visitor takes. False when it takes no more ever.
    func transmit(_ output: inout ByteQueue) -> Bool { output.flush(to: fd) }

    /// Nothing more is written; the visitor may see that at once.
    func endOutput() { shutdown(fd, Int32(SHUT_WR)) }

    /// Before a close within an answer: where the plain end would make the answer look whole, a reset.
    func abort() {
        guard endsByClosing else { return }
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    }

    // MARK: Events

    override func ready(_ events: UInt32) {
        if events & (Endpoint.input | Endpoint.broken) != 0,
            events & Endpoint.broken != 0 || interest & Endpoint.input != 0
        {
            let wasEmpty = input.isEmpty
            switch receive(&input) {
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

    override var restsSince: Int64? { state == .head && input.isEmpty && output.isEmpty ? quietSince : nil }

    override func giveWay() {
        // A request may be there, unread.
        ready(Endpoint.input)
        if isOpen, restsSince != nil { close() }
    }

    override func retire() {
        if restsSince != nil { deadline = min(deadline, worker.now + Limits.farewellTime) }
    }

    override func endHastily() {
        if isOpen, state == .held { expired() }
        closeIfIdle()
    }

    /// Ends a connection that rests. What the visitor sends in this moment is read, so that it sees an end and no reset:
    /// it knows that nothing was done with it.
    func takeLeave() {
        requestBody = nil
        closeWhenSent()
        flush()
    }

    override func closeIfIdle() {
        // A request may be there, unread.
        if state == .head, input.isEmpty { ready(Endpoint.input) }
        guard isOpen, state == .head, input.isEmpty else { return }
        closeWhenSent()
        flush()
    }

    /// Reads what is there, moves it on, and waits for the right things.
    func advance() {
        repeat {
            isHeldBack = false
            takeInput()
            hasEndedFile = false
            flush()
        } while isOpen && (hasEndedFile || isHeldBack && output.count <= Limits.buffered)
    }

    func takeInput() {
        loop: while isOpen {
            switch state {
            case .head:
                guard takeHead() else { break loop }
            case .exchange:
                // No instance takes what comes of the request, and a file does not need it.
                if file != nil, requestBody?.isDone == false { input.drop(input.count) }
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

    // MARK: Waiting

    /// How long the next request may take; a visitor that still reads the last answer is not hurried.
    func awaitHead() {
        let limits = worker.limits
        let time = !output.isEmpty ? limits.stallTime : input.isEmpty ? limits.idleTime : limits.headerTime
        quietSince = worker.now
        deadline = worker.now + Int64(time)
        if worker.stopping { retire() }
    }

    func flush() {
        guard isOpen else { return }
        let waiting = output.count
        guard transmit(&output) else { return visitorLeft() }
        if file != nil {
            sendFile()
            guard isOpen else { return }
        }
        if output.count < waiting {
            if state == .head { awaitHead() }
            if state == .closing { deadline = worker.now + Int64(worker.limits.stallTime) }
        }
        if output.isEmpty, state == .closing {
            if inputEnded || requestBody?.isDone == true && input.isEmpty { return close() }
            endOutput()
            guard isOpen else { return }
            input.drop(input.count)
            state = .lingering
            deadline = worker.now + Limits.lingerTime
        }
        listen()
    }

    func listen() {
        guard isOpen else { return }
        let pausedIn =
            state == .closing || (state == .held && input.count > Limits.read)
            || (upstream.map { $0.output.count > Limits.buffered } ?? false)
            || (state == .exchange && requestBody?.isDone == true && input.count > Limits.read) || inputEnded
            || (state == .head && output.count > Limits.buffered)
        let isWaiting = !output.isEmpty || file != nil || isSplicing && pipe?.count != 0
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
