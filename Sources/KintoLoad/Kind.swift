// SPDX-License-Identifier: Apache-2.0

/// What a visitor does.
enum Kind: String, Sendable, CaseIterable {
    /// GET, and every fifth request a small POST: the load without `--mix`.
    case simple
    /// GET over a kept connection.
    case kept
    /// GET over a connection of its own.
    case fresh
    /// POST with a length, 0 B to 1 MiB.
    case post
    /// POST in chunks, 0 B to 1 MiB.
    case chunked
    /// GET whose answer comes after two seconds.
    case slow
    /// POST whose body takes a second to send, so that swaps fall into it.
    case upload
    /// WebSockets, each for some seconds.
    case socket

    /// Of 1,000 requests of the mixed load. WebSockets come on top.
    var share: Int {
        switch self {
        case .kept: 440
        case .fresh: 300
        case .post: 180
        case .chunked: 72
        case .slow, .upload: 4
        case .simple, .socket: 0
        }
    }

    /// How many visitors of the mixed load share the schedule: enough that an answer that is late (250 ms, or twice
    /// the two seconds that it should take) keeps no other waiting.
    func visitors(rate: Int) -> Int {
        switch self {
        case .simple: 0
        case .socket: 12
        case .slow, .upload: max(4, rate * share * 4 / 1000)
        default: max(4, rate * share / 4000)
        }
    }

    var isPost: Bool { self == .post || self == .chunked || self == .upload }
}
