// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Long answers, which are not copied.
extension ClientConnection {
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
}
