// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// How requests and connections end.
extension ClientConnection {
    func failRequest(_ status: Int, _ reason: String) {
        if !hasAnswered { route?.answered(status, now: worker.now, since: claimedAt) }
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

    /// Ends the connection within an answer.
    func cut() {
        if isOpen { abort() }
        close()
    }

    func visitorLeft() {
        releaseUpstream(reusable: false)
        unclaim(failed: false)
        close()
    }

    func answer(_ status: Int, _ reason: String, retry: Bool) {
        answer(OwnAnswer(status, reason, retry: retry))
    }

    /// An answer of the proxy's own to a request that is well-formed: the connection lives on.
    func answer(_ own: OwnAnswer) {
        let keepsAlive = keepsAlive && requestBody?.isDone == true
        own.write(keepsAlive: keepsAlive, bodiless: isHead, to: &output)
        guard keepsAlive else {
            closeWhenSent()
            return flush()
        }
        state = .head
        awaitHead()
    }

    func refuse(_ status: Int, _ reason: String, retry: Bool = false) {
        OwnAnswer(status, reason, retry: retry).write(keepsAlive: false, bodiless: isHead, to: &output)
        closeWhenSent()
        flush()
    }

    func closeWhenSent() {
        state = .closing
        deadline = worker.now + Int64(worker.limits.stallTime)
    }
}
