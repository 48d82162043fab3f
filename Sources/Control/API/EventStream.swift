// SPDX-License-Identifier: Apache-2.0
internal import HTTPTypes
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Synchronization

/// The parts of a stream of Server-Sent Events that all of them share: the head, the beat and the end of readers that are
/// stuck.
enum EventStream {
    /// A comment so often, when there is nothing else: proxies cut what is silent.
    static let beat = Duration.seconds(15)
    /// What may be taken for one write; then the connection is cut.
    static let patience = Duration.seconds(60)

    static func isWanted(_ request: Request) -> Bool {
        request.headers[values: .accept].contains { $0.lowercased().contains("text/event-stream") }
    }

    /// nil: from the beginning, or from now on.
    /// - Throws: `Failure` of code `invalid-request`.
    static func last(_ request: Request) throws -> Int64? {
        guard let name = HTTPField.Name("Last-Event-ID"), let text = request.headers[name], !text.isEmpty
        else { return nil }
        guard let id = Int64(text), id >= 0 else {
            throw Failure(code: "invalid-request", "Last-Event-ID is the id of an event: a number")
        }
        return id
    }

    /// - Parameter data: one line.
    static func event(_ kind: String, id: Int64? = nil, _ data: String) -> String {
        (id.map { "id: \($0)\n" } ?? "") + "event: \(kind)\ndata: \(data)\n\n"
    }

    /// - Parameter body: writes by the closure that it is given until there is no more to say.
    static func response(
        _ context: APIServer.Context,
        _ body: @escaping @Sendable (_ write: (ByteBuffer) async throws -> Void) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                let since = Since()
                let looking = Task {
                    while (try? await Task.sleep(for: beat)) != nil {
                        if since.isLonger(than: patience) { return context.cut() }
                    }
                }
                defer { looking.cancel() }
                try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
                try await body { bytes in
                    since.begin()
                    try await writer.write(bytes)
                    since.end()
                }
                try await writer.finish(nil)
            })
    }

    /// When a write began that is not over.
    private final class Since: Sendable {
        private let at = Mutex<ContinuousClock.Instant?>(nil)

        func begin() { at.withLock { $0 = .now } }
        func end() { at.withLock { $0 = nil } }
        func isLonger(than time: Duration) -> Bool { at.withLock { $0.map { .now - $0 > time } ?? false } }
    }
}
