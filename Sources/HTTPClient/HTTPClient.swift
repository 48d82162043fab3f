// SPDX-License-Identifier: Apache-2.0
internal import CCurl
internal import Dispatch
internal import Synchronization

/// Outgoing HTTP over libcurl: TCP or a unix socket, no redirects, never on the cooperative pool.
public enum HTTPClient {
    public struct Request: Sendable {
        public var url: String
        public var method: String
        /// `Name: value`
        public var headers: [String]
        public var body: [UInt8]?
        /// Connects here instead of the URL's host.
        public var unixSocket: String?
        /// Milliseconds for all of it; 0: no limit.
        public var timeout: Int

        public init(
            _ method: String = "GET", url: String, headers: [String] = [], body: [UInt8]? = nil,
            unixSocket: String? = nil,
            timeout: Int = 0
        ) {
            self.method = method
            self.url = url
            self.headers = headers
            self.body = body
            self.unixSocket = unixSocket
            self.timeout = timeout
        }
    }

    public struct Response: Sendable {
        public var status: Int
        public var body: [UInt8]
        /// Seconds after which it wants to be asked again (Retry-After); nil: it did not say.
        public var retryAfter: Int?

        public init(status: Int, body: [UInt8], retryAfter: Int? = nil) {
            self.status = status
            self.body = body
            self.retryAfter = retryAfter
        }
    }

    /// Why there is no answer.
    public struct TransportError: Error, Sendable, CustomStringConvertible {
        /// CURLcode, see libcurl-errors(3).
        public let code: UInt32
        public let description: String
        /// Nobody listens there.
        public var isUnreachable: Bool {
            code == CURLE_COULDNT_CONNECT.rawValue || code == CURLE_COULDNT_RESOLVE_HOST.rawValue
        }
    }

    /// Collects the body.
    public static func send(_ request: Request) async throws -> Response {
        let collected = Collector()
        let status = try await stream(request) { part in collected.bytes.withLock { $0 += part } }
        return Response(status: status, body: collected.bytes.withLock { $0 })
    }

    /// For a peer that is not trusted, nor where its name leads to (`MetadataAddress`), nor to come to an end: its status counts
    /// once it is known, whatever becomes of the body, of which the first bytes are kept.
    /// - Parameter limit: bytes of the body after which the connection is closed.
    public static func answer(_ request: Request, limit: Int) async throws -> Response {
        let collected = Collector()
        let head = try await perform(request, limit: limit) { part in
            collected.bytes.withLock { $0 += part }
        }
        return Response(
            status: head.status, body: collected.bytes.withLock { Array($0.prefix(limit)) },
            retryAfter: head.retryAfter)
    }

    /// Hands on the body as it arrives; cancelling the task ends the transfer.
    /// - Returns: the status.
    public static func stream(_ request: Request, _ onBytes: @escaping @Sendable ([UInt8]) -> Void)
        async throws -> Int
    {
        try await perform(request, limit: nil, onBytes).status
    }

    fileprivate typealias Head = (status: Int, retryAfter: Int?)

    private static func perform(
        _ request: Request, limit: Int?, _ onBytes: @escaping @Sendable ([UInt8]) -> Void
    ) async throws -> Head {
        let transfer = Transfer(limit, onBytes)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { continuation.resume(with: Result { try transfer.perform(request) }) }
            }
        } onCancel: {
            transfer.cancelled.store(true, ordering: .relaxed)
        }
    }

    /// Of threads that wait for peers.
    static let queue = DispatchQueue(label: "kinto.http", attributes: .concurrent)
    static let started: Bool = curl_global_init(Int(CURL_GLOBAL_NOTHING)) == CURLE_OK
}

private final class Collector: Sendable {
    let bytes = Mutex<[UInt8]>([])
}

private final class Transfer: Sendable {
    let onBytes: @Sendable ([UInt8]) -> Void
    let cancelled = Atomic(false)
    /// Bytes of the body that are enough; nil: all of it is wanted, and its end.
    let limit: Int?
    private let taken = Atomic(0)

    init(_ limit: Int?, _ onBytes: @escaping @Sendable ([UInt8]) -> Void) {
        self.limit = limit
        self.onBytes = onBytes
    }

    /// - Returns: whether more is wanted.
    func take(_ bytes: [UInt8]) -> Bool {
        onBytes(bytes)
        guard let limit else { return true }
        return taken.add(bytes.count, ordering: .relaxed).newValue <= limit
    }

    func perform(_ request: HTTPClient.Request) throws -> HTTPClient.Head {
        guard HTTPClient.started, let curl = curl_easy_init() else {
            throw HTTPClient.TransportError(
                code: CURLE_FAILED_INIT.rawValue, description: "libcurl cannot be used")
        }
        defer { curl_easy_cleanup(curl) }
        var headers: UnsafeMutablePointer<curl_slist>?
        for header in request.headers + ["Expect:"] { headers = curl_slist_append(headers, header) }
        defer { curl_slist_free_all(headers) }
        _ = kinto_curl_set_string(curl, CURLOPT_URL, request.url)
        _ = kinto_curl_set_string(curl, CURLOPT_CUSTOMREQUEST, request.method)
        _ = kinto_curl_set_string(curl, CURLOPT_PROTOCOLS_STR, "http,https")
        _ = kinto_curl_set_long(curl, CURLOPT_NOSIGNAL, 1)
        _ = kinto_curl_set_long(curl, CURLOPT_TIMEOUT_MS, request.timeout)
        _ = kinto_curl_set_long(curl, CURLOPT_CONNECTTIMEOUT_MS, 10_000)
        _ = kinto_curl_set_pointer(curl, CURLOPT_HTTPHEADER, headers)
        let peer = limit == nil ? nil : PeerCheck()
        peer?.watch(curl)
        defer { withExtendedLifetime(peer) {} }
        if let path = request.unixSocket { _ = kinto_curl_set_string(curl, CURLOPT_UNIX_SOCKET_PATH, path) }
        if let body = request.body {
            _ = kinto_curl_set_offset(curl, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            body.withUnsafeBytes { bytes in
                _ = kinto_curl_set_pointer(
                    curl, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            }
        }
        let context = Unmanaged.passUnretained(self).toOpaque()
        _ = kinto_curl_set_write(curl, CURLOPT_WRITEFUNCTION, received)
        _ = kinto_curl_set_pointer(curl, CURLOPT_WRITEDATA, context)
        _ = kinto_curl_set_progress(curl, progressed)
        _ = kinto_curl_set_pointer(curl, CURLOPT_XFERINFODATA, context)
        _ = kinto_curl_set_long(curl, CURLOPT_NOPROGRESS, 0)
        let code = curl_easy_perform(curl)
        if cancelled.load(ordering: .relaxed) { throw CancellationError() }
        var status = 0
        _ = kinto_curl_get_long(curl, CURLINFO_RESPONSE_CODE, &status)
        guard code == CURLE_OK || limit != nil && status >= 200 else {
            throw HTTPClient.TransportError(
                code: code.rawValue, description: peer?.refusal ?? String(cString: curl_easy_strerror(code)))
        }
        var retryAfter: curl_off_t = 0
        _ = kinto_curl_get_offset(curl, CURLINFO_RETRY_AFTER, &retryAfter)
        return (status, retryAfter > 0 ? Int(retryAfter) : nil)
    }
}

private func received(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data, let context else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    // Less than was given ends the transfer.
    return transfer.take(UnsafeRawBufferPointer(start: data, count: size * count).map { $0 })
        ? size * count : 0
}

private func progressed(
    _ context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> Int32 {
    guard let context else { return 0 }
    return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().cancelled.load(ordering: .relaxed)
        ? 1 : 0
}
