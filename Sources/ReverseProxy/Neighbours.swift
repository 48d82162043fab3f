// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization
internal import Wire

/// A question to the proxies of other places, asked at the same time. Places where none lives are passed over.
struct Neighbours {
    /// Of a question that is not to be passed on.
    static let mark = "alone"
    private let replies = Results<ProxyReply>()
    private let latch: Latch
    private let patience: Int

    /// - Parameter milliseconds: how long an answer may take.
    init(_ places: [ProxyPlace], _ request: ProxyRequest, milliseconds: Int) {
        let connections = places.compactMap { try? UnixSocket.connect($0.socket) }
        latch = Latch(connections.count)
        patience = milliseconds
        for connection in connections {
            UnixSocket.setPatience(milliseconds, of: connection)
            Thread.start { [replies, latch] in
                if let reply = Neighbours.ask(request, over: connection) {
                    replies.all.withLock { $0.append(reply) }
                }
                latch.count()
            }
        }
    }

    /// Waits for the answers; one that does not come counts as none.
    func all() -> [ProxyReply] {
        latch.wait(milliseconds: patience)
        return replies.all.withLock { $0 }
    }

    private static func ask(_ request: ProxyRequest, over connection: Descriptor) -> ProxyReply? {
        var question = request.fields
        question.add(mark, true)
        guard (try? Frame.write(question, to: connection)) != nil,
            let fields = try? Frame.read(from: connection)
        else { return nil }
        return try? ProxyReply(fields)
    }
}
