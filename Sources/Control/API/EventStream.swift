// SPDX-License-Identifier: Apache-2.0
internal import HTTPTypes
internal import Hummingbird
internal import KintoCore
internal import NIOCore

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

    /// A value after each change, and one for each beat: whoever gets it looks what is new, and has a comment to write when
    /// nothing is. At once, too.
    static func looks(after changes: AsyncStream<Void>) -> AsyncStream<Void> {
        let (looks, look) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        look.yield()
        let telling = Task { for await _ in changes { look.yield() } }
        let beating = Task { while (try? await Task.sleep(for: beat)) != nil { look.yield() } }
        look.onTermination = { _ in
            telling.cancel()
            beating.cancel()
        }
        return looks
    }

    /// - Parameter body: writes by the closure that it is given until there is no more to say.
    static func response(
        _ context: APIServer.Context,
        _ body: @escaping @Sendable (_ write: (ByteBuffer) async throws -> Void) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                let guardian = StallGuard(patience: patience)
                let looking = Task { await guardian.watch { context.cut() } }
                defer { looking.cancel() }
                try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
                try await body { bytes in
                    guardian.begin()
                    defer { guardian.end() }
                    try await writer.write(bytes)
                }
                try await writer.finish(nil)
            })
    }
}
