// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Wire

/// `/events`: what changes, as it is committed.
struct EventRoutes: Sendable {
    let store: Store

    func add(to api: RouterGroup<APIServer.Context>) {
        api.get("/events") { request, context in
            let service = try request.uri.queryParameters["service"].map { try ServiceName(String($0)) }
            let last = try EventStream.last(request)
            return EventStream.response(context) { write in
                try await follow(service, after: last, write)
            }
        }
    }

    /// Each reader reads from the database at its own pace; what is gone from there meanwhile is told as a `reset`.
    private func follow(
        _ service: ServiceName?, after last: Int64?, _ write: (ByteBuffer) async throws -> Void
    ) async throws {
        let looks = EventStream.looks(after: store.changes())
        var next: Int64
        if let last { next = last } else { next = try await store.lastEvent() }
        try await write(ByteBuffer(string: EventStream.event("ready", id: last == nil ? next : nil, "{}")))
        for await _ in looks {
            var hasTold = false
            while true {
                let found = try await store.events(after: next, of: service)
                var text = ""
                if !found.isWhole { text = EventStream.event("reset", id: found.next, "{}") }
                for event in found.events { text += EventStream.event(event.kind, id: event.id, data(event)) }
                let isOver = found.next == next
                next = found.next
                if !text.isEmpty {
                    hasTold = true
                    try await write(ByteBuffer(string: text))
                }
                if isOver { break }
            }
            if !hasTold { try await write(ByteBuffer(string: ":\n\n")) }
        }
    }

    /// The body is an object that SQLite made.
    private func data(_ event: StoreEvent) -> String {
        "{\"at\":\"\(event.at.rfc3339)\",\(event.body.dropFirst())"
    }
}
