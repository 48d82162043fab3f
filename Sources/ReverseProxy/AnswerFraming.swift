// SPDX-License-Identifier: Apache-2.0

/// How the body of an instance's final answer is read, and how it is written for the visitor.
struct AnswerFraming {
    /// As it comes.
    let body: MessageHead.Framing
    /// As the head says to the visitor.
    let told: MessageHead.Framing
    let output: BodyFraming.Output
    /// Whether the instance's connection may carry another request after it.
    let upstreamKeepsAlive: Bool
    /// Whether the visitor takes the end of the connection for the end of the answer.
    let endsByClosing: Bool

    /// - Parameters:
    ///   - isHead: whether HEAD was asked.
    ///   - minor: the visitor's HTTP/1.x.
    init(_ head: MessageHead, status: Int, isHead: Bool, minor: Int) throws(MessageHead.Refusal) {
        let framing = try head.framing() ?? .untilClose
        let isBodiless = isHead || status == 204 || status == 304
        let told: MessageHead.Framing
        if isBodiless {
            // The length told to a HEAD is passed on; there is no body to follow.
            told = isHead && framing != .untilClose ? framing : .none
        } else {
            told = framing == .untilClose ? .chunked : framing
        }
        body = isBodiless ? .none : framing
        // HTTP/1.0 knows no chunks.
        self.told = told == .chunked && minor == 0 ? .untilClose : told
        output = self.told == .chunked && !isBodiless ? .chunks : .plain
        upstreamKeepsAlive = head.minor == 1 && !head.connection.contains(.close) && body != .untilClose
        endsByClosing = !isBodiless && self.told == .untilClose
    }

    /// An interim answer has no body; one that tells of a body would be followed by it to some parsers.
    static func checkInterim(_ head: MessageHead) throws(MessageHead.Refusal) {
        guard let framing = try head.framing() else { return }
        guard framing == .length(0) else {
            throw MessageHead.Refusal(status: 502, reason: "an interim answer with a body")
        }
    }
}
