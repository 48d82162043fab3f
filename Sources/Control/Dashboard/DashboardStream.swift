// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Hummingbird
internal import KintoCore
internal import NIOCore

/// Server-sent events of the pages.
enum DashboardStream {
    /// `line`, each with the number of its line as id; a reader that comes again with the last one it has goes on there.
    /// `end` when the log is over.
    static func lines(
        of log: LogFollower, after: Int, _ index: LogIndex, _ context: Dashboard.Context
    ) -> Response {
        EventStream.response(context) { write in
            var follower = log
            let (start, gone) = try await Blocking.run { [path = log.path] in
                (index.mark(path, after: after), LogReader.linesBefore(path))
            }
            follower.start = start
            var lines = DashboardLines(after: start == nil ? gone : after)
            let encoder = JSONEncoder()
            try await follower.read { chunk in
                var out = ByteBuffer()
                for line in lines.next(chunk) where line.number > after {
                    let data = String(decoding: try encoder.encode(line), as: UTF8.self)
                    out.writeString(EventStream.event("line", id: Int64(line.number), data))
                }
                if out.readableBytes > 0 { try await write(out) }
            }
            try await write(ByteBuffer(string: EventStream.event("end", "")))
        }
    }

    /// `change` at once and after each change, several as one.
    static func changes(of store: Store, _ context: Dashboard.Context) -> Response {
        EventStream.response(context) { write in
            var told: Int64?
            for await _ in EventStream.looks(after: store.changes()) {
                let last = try await store.lastEvent()
                try await write(ByteBuffer(string: last == told ? ":\n\n" : EventStream.event("change", "")))
                told = last
            }
        }
    }
}
