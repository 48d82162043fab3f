// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// The answer on its way back.
extension ClientConnection {
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

    func takeAnswer(_ head: MessageHead) throws(MessageHead.Refusal) {
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
        route?.answered(status, now: worker.now, since: claimedAt)
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

    func pumpAnswer() {
        guard let upstream, var body = responseBody else { return }
        do { try body.move(&upstream.input, to: &output) } catch {
            return failRequest(502, "the body of the answer is malformed")
        }
        responseBody = body
        if body.isDone {
            finishExchange()
        } else {
            flush()
            if canSplice, body.plainBytesLeft >= SplicePipe.worthwhile, output.isEmpty, isOpen,
                self.upstream === upstream
            {
                pipe = worker.pipe()
            }
        }
    }

    /// The answer is complete.
    func finishExchange() {
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
}
