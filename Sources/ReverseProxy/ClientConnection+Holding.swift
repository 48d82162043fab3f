// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Requests that wait for an instance, and services that are closed to visitors.
extension ClientConnection {
    /// The name of the route whose instances a held request waits for.
    var heldFor: String? { state == .held ? current?.identifier ?? "" : nil }

    /// Where the request goes by the table in force now.
    var current: Router.Route? { find(lastHost) }

    /// - Parameter bytes: of the request, all that there is so far; nothing of it was sent.
    func hold(_ found: Router.Route, _ bytes: [UInt8]) {
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

    func endHold() {
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
            answer(OwnAnswer(closed))
            advance()
            return true
        }
        if !found.isPaused, found.files != nil, let end = MessageHead.end(in: bytes[...]),
            let head = try? MessageHead(Array(bytes[..<end]), request: true, limits: worker.limits),
            serve(head, from: found)
        {
            if !isDelayed { found.upstream?.counters.delayed += 1 }
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

    func isAllowed(_ closed: Maintenance) -> Bool {
        let visitor = String(decoding: address, as: UTF8.self)
        return closed.allow.contains { $0.contains(visitor) }
    }
}
