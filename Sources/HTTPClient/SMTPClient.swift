// SPDX-License-Identifier: Apache-2.0
internal import CCurl
internal import Dispatch
internal import Synchronization

/// Hands messages to a mail server, over libcurl (RFC 5321): never on the cooperative pool, nothing tried twice.
public enum SMTPClient {
    /// One message to all its recipients, in one transaction.
    public struct Submission: Sendable {
        /// `smtp://host:port` or `smtps://host:port`.
        public var url: String
        /// Of `smtp`: whether the connection must become TLS by STARTTLS before anything is said; else it does not at all.
        public var needsTLS: Bool
        /// PEM of the only authorities that may sign the server's certificate; nil: the system's.
        public var authorities: String?
        public var user: String?
        public var password: String
        /// Addresses without name and brackets, ASCII.
        public var sender: String
        public var recipients: [String]
        /// Of several recipients some may be refused, and the others get it; else one that is refused stops it for all.
        public var allowsRefusedRecipients: Bool
        /// RFC 5322, lines ended by CR LF.
        public var message: [UInt8]
        /// Milliseconds for all of it.
        public var timeout: Int

        public init(
            url: String, needsTLS: Bool, authorities: String?, user: String?, password: String,
            sender: String,
            recipients: [String], allowsRefusedRecipients: Bool, message: [UInt8], timeout: Int
        ) {
            self.url = url
            self.needsTLS = needsTLS
            self.authorities = authorities
            self.user = user
            self.password = password
            self.sender = sender
            self.recipients = recipients
            self.allowsRefusedRecipients = allowsRefusedRecipients
            self.message = message
            self.timeout = timeout
        }
    }

    /// What the server said no to. Its words are an outsider's: without control characters, and bounded.
    public struct Refusal: Error, Sendable, CustomStringConvertible {
        /// Three digits.
        public let code: Int
        public let reply: String
        /// nil: not because of one of them.
        public let recipient: String?
        /// The same will be refused again (RFC 5321, 4.2.1).
        public var isPermanent: Bool { code >= 500 }
        public var description: String {
            recipient.map { "\($0) was refused: \(reply)" } ?? "the mail server answered: \(reply)"
        }
    }

    /// Returns when the server has taken the message on.
    /// - Returns: the recipients that it refused nevertheless.
    /// - Throws: `Refusal`, or `HTTPClient.TransportError` when there was no answer: whether it was taken is not known then.
    public static func send(_ submission: Submission) async throws -> [Refusal] {
        let session = Session(submission)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                HTTPClient.queue.async { session.perform { continuation.resume(with: $0) } }
            }
        } onCancel: {
            session.cancelled.store(true, ordering: .relaxed)
        }
    }
}

private final class Session: Sendable {
    private struct State {
        var sent = 0
        /// Whose RCPT command is answered next.
        var recipient: String?
        var lastReply = ""
        var refusals: [SMTPClient.Refusal] = []
    }

    let cancelled = Atomic(false)
    private let submission: SMTPClient.Submission
    private let state = Mutex(State())

    init(_ submission: SMTPClient.Submission) { self.submission = submission }

    /// - Parameter done: called as soon as it is known; taking leave of the server comes after it, and may take its time.
    func perform(_ done: (Result<[SMTPClient.Refusal], any Error>) -> Void) {
        let problem = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
        problem.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        defer { problem.deallocate() }
        guard HTTPClient.started, let curl = curl_easy_init() else {
            return done(
                .failure(
                    HTTPClient.TransportError(
                        code: CURLE_FAILED_INIT.rawValue, description: "libcurl cannot be used")))
        }
        var recipients: UnsafeMutablePointer<curl_slist>?
        for one in submission.recipients { recipients = curl_slist_append(recipients, "<\(one)>") }
        let peer = PeerCheck()
        defer {
            curl_easy_cleanup(curl)
            curl_slist_free_all(recipients)
            withExtendedLifetime(peer) {}
        }
        peer.watch(curl)
        _ = kinto_curl_set_pointer(curl, CURLOPT_ERRORBUFFER, problem)
        _ = kinto_curl_set_string(curl, CURLOPT_URL, submission.url)
        _ = kinto_curl_set_string(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        _ = kinto_curl_set_long(curl, CURLOPT_NOSIGNAL, 1)
        _ = kinto_curl_set_long(curl, CURLOPT_TIMEOUT_MS, submission.timeout)
        // To libcurl the greeting and the password belong to it, and some servers let strangers wait for their greeting.
        _ = kinto_curl_set_long(curl, CURLOPT_CONNECTTIMEOUT_MS, submission.timeout)
        // Seconds; the other limit does not count when leave is taken.
        _ = kinto_curl_set_long(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, max(1, submission.timeout / 1000))
        _ = kinto_curl_set_long(
            curl, CURLOPT_USE_SSL, submission.needsTLS ? Int(CURLUSESSL_ALL.rawValue) : 0)
        if let authorities = submission.authorities {
            // The system's folder would be searched, too.
            _ = kinto_curl_set_string(curl, CURLOPT_CAPATH, nil)
            _ = Array(authorities.utf8).withUnsafeBytes {
                kinto_curl_set_blob(curl, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count)
            }
        }
        if let user = submission.user {
            _ = kinto_curl_set_string(curl, CURLOPT_USERNAME, user)
            _ = kinto_curl_set_string(curl, CURLOPT_PASSWORD, submission.password)
        }
        _ = kinto_curl_set_string(curl, CURLOPT_MAIL_FROM, "<\(submission.sender)>")
        _ = kinto_curl_set_pointer(curl, CURLOPT_MAIL_RCPT, recipients)
        _ = kinto_curl_set_long(
            curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, submission.allowsRefusedRecipients ? 1 : 0)
        let context = Unmanaged.passUnretained(self).toOpaque()
        _ = kinto_curl_set_long(curl, CURLOPT_UPLOAD, 1)
        _ = kinto_curl_set_offset(curl, CURLOPT_INFILESIZE_LARGE, curl_off_t(submission.message.count))
        _ = kinto_curl_set_read(curl, wanted)
        _ = kinto_curl_set_pointer(curl, CURLOPT_READDATA, context)
        // Replies would be written to standard output.
        _ = kinto_curl_set_write(curl, CURLOPT_WRITEFUNCTION, ignored)
        _ = kinto_curl_set_debug(curl, said)
        _ = kinto_curl_set_pointer(curl, CURLOPT_DEBUGDATA, context)
        _ = kinto_curl_set_long(curl, CURLOPT_VERBOSE, 1)
        _ = kinto_curl_set_progress(curl, progressed)
        _ = kinto_curl_set_pointer(curl, CURLOPT_XFERINFODATA, context)
        _ = kinto_curl_set_long(curl, CURLOPT_NOPROGRESS, 0)
        let code = curl_easy_perform(curl)
        done(Result { try outcome(code, peer.refusal ?? String(cString: problem)) })
    }

    private func outcome(_ code: CURLcode, _ words: String) throws -> [SMTPClient.Refusal] {
        if cancelled.load(ordering: .relaxed) { throw CancellationError() }
        let (last, refusals) = state.withLock { ($0.lastReply, $0.refusals) }
        if code == CURLE_OK { return refusals }
        if code != CURLE_OPERATION_TIMEDOUT {
            if let worst = refusals.first(where: { !$0.isPermanent }) ?? refusals.first { throw worst }
            if let status = Int(last.prefix(3)), (400..<600).contains(status) {
                throw SMTPClient.Refusal(code: status, reply: last, recipient: nil)
            }
        }
        throw HTTPClient.TransportError(
            code: code.rawValue,
            description: code == CURLE_USE_SSL_FAILED
                ? "the mail server offers no TLS that can be used (STARTTLS)"
                : words.isEmpty ? String(cString: curl_easy_strerror(code)) : words)
    }

    /// The next bytes of the message.
    func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        state.withLock { state in
            let count = min(buffer.count, submission.message.count - state.sent)
            submission.message.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[state.sent..<state.sent + count]))
            }
            state.sent += count
            return count
        }
    }

    /// Of the commands only those that name a recipient are looked at: others carry the password.
    func sent(_ bytes: UnsafeRawBufferPointer) {
        let prefix = Array("RCPT TO:<".utf8)
        state.withLock { state in
            state.recipient =
                bytes.starts(with: prefix)
                ? String(
                    decoding: bytes.dropFirst(prefix.count).prefix { $0 != UInt8(ascii: ">") }, as: UTF8.self)
                : nil
        }
    }

    func received(_ bytes: UnsafeRawBufferPointer) {
        for line in bytes.split(whereSeparator: { $0 == 10 || $0 == 13 }) {
            // `250-more follows`, `250 the last line`.
            guard line.count >= 3, line.prefix(3).allSatisfy({ (48...57).contains($0) }),
                line.count == 3 || line[line.startIndex + 3] != UInt8(ascii: "-")
            else { continue }
            var words = String(decoding: line.prefix(200), as: UTF8.self)
            if !submission.password.isEmpty {
                words = words.split(separator: submission.password, omittingEmptySubsequences: false)
                    .joined(separator: "[redacted]")
            }
            let reply = String(
                String.UnicodeScalarView(
                    words.unicodeScalars.map {
                        $0.properties.generalCategory == .control || $0.properties.generalCategory == .format
                            ? " " : $0
                    }))
            state.withLock { state in
                state.lastReply = reply
                if let recipient = state.recipient, let code = Int(reply.prefix(3)), code >= 400 {
                    state.refusals.append(.init(code: code, reply: reply, recipient: recipient))
                }
                state.recipient = nil
            }
        }
    }
}

private func session(_ context: UnsafeMutableRawPointer) -> Session {
    Unmanaged<Session>.fromOpaque(context).takeUnretainedValue()
}

private func wanted(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data, let context else { return 0 }
    return session(context).fill(UnsafeMutableRawBufferPointer(start: data, count: size * count))
}

private func ignored(
    _: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _: UnsafeMutableRawPointer?
) -> Int { size * count }

private func said(
    _: UnsafeMutableRawPointer?, _ kind: curl_infotype, _ data: UnsafeMutablePointer<CChar>?, _ size: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let data, let context else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: data, count: size)
    if kind == CURLINFO_HEADER_OUT { session(context).sent(bytes) }
    if kind == CURLINFO_HEADER_IN { session(context).received(bytes) }
    return 0
}

private func progressed(
    _ context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> Int32 {
    context.map { session($0).cancelled.load(ordering: .relaxed) ? 1 : 0 } ?? 0
}
