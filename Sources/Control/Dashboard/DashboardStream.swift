// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import KintoCore
internal import NIOCore

/// Server-sent events of the pages.
enum DashboardStream {
    /// `line`, each with the number of its line as id; a reader that comes again with the last one it has goes on there.
    /// `end` when the log is over.
    static func lines(of follower: LogFollower, after: Int) -> Response {
        response { writer in
            var lines = DashboardLines()
            let encoder = JSONEncoder()
            try await follower.read { chunk in
                var out = ByteBuffer()
                for line in lines.next(Array(buffer: chunk)) where line.number > after {
                    out.writeString("id: \(line.number)\nevent: line\ndata: ")
                    out.writeBytes(try encoder.encode(line))
                    out.writeString("\n\n")
                }
                if out.readableBytes > 0 { try await writer.write(out) }
            }
            try await writer.write(ByteBuffer(string: "event: end\ndata:\n\n"))
            try await writer.finish(nil)
        }
    }

    /// `change` at once and after each change of a release, several as one; a comment every 20 s, so that a reader
    /// that is gone is noticed.
    static func changes(of store: Store) -> Response {
        response { writer in
            let (events, continuation) = AsyncStream<String>.makeStream(bufferingPolicy: .bufferingNewest(2))
            let telling = Task {
                for await _ in store.changesOfReleases() { continuation.yield("event: change\ndata:\n\n") }
                continuation.finish()
            }
            let ticking = Task {
                while (try? await Task.sleep(for: .seconds(20))) != nil { continuation.yield(":\n\n") }
            }
            defer {
                telling.cancel()
                ticking.cancel()
            }
            for await event in events { try await writer.write(ByteBuffer(string: event)) }
            try await writer.finish(nil)
        }
    }

    private static func response(
        _ body: @escaping @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream"],
            body: ResponseBody { writer in
                var writer: any ResponseBodyWriter = writer
                try await body(&writer)
            })
    }
}
