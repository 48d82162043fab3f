// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization

/// One visitor on a thread of its own: its share of an open-loop schedule, over one kept connection (even
/// indices) or a fresh one for every request (odd indices).
final class Client: Sendable {
    private let options: Options
    private let index: Int
    /// Of the schedule, on ``Clock``.
    private let start: Int64
    /// An eventfd: readable once everybody is to stop.
    private let stop: Int32
    private let result = Mutex<Tally>(Tally())

    init(_ options: Options, index: Int, start: Int64, stop: Int32) {
        self.options = options
        self.index = index
        self.start = start
        self.stop = stop
    }

    /// Complete once the thread ended.
    var tally: Tally { result.withLock { $0 } }

    /// - Returns: nil when the system gives no thread.
    func startThread() -> pthread_t? {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Client>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            return nil
        }
        return thread
    }

    private func run() {
        var tally = Tally()
        var connection: Connection? = nil
        let keepsAlive = options.isPlain || index.isMultiple(of: 2)
        var number = index
        while true {
            // The product stays far below the range: at most 100 000 a second over a few days.
            let due = start + Int64(number) * 1_000_000_000 / Int64(options.rate)
            guard waits(until: due) else { break }
            let identifier = "\(getpid())-\(start)-\(number)"
            // By this client's own count, so that kept and fresh connections get the same share.
            let isPost = !options.isPlain && (number / options.connections + index).isMultiple(of: 5)
            if isPost { tally.posts += 1 }
            do throws(RequestFailure) {
                let current =
                    if let kept = try reusable(connection, &tally) { kept } else {
                        try Connection(to: options)
                    }
                let response = try current.exchange(
                    request(identifier: identifier, isPost: isPost, closes: !keepsAlive))
                guard (200..<300).contains(response.status) else {
                    throw RequestFailure(
                        "status-\(response.status)",
                        String(decoding: response.body.prefix(200), as: UTF8.self))
                }
                tally.succeed(release: Self.release(in: response.body), after: Clock.now() - due)
                connection = keepsAlive && response.isReusable ? current : nil
            } catch {
                tally.fail(error, identifier: identifier, at: Clock.now() - start)
                connection = nil
            }
            number += options.connections
        }
        result.withLock { $0 = tally }
    }

    /// - Returns: False when it is time to stop.
    private func waits(until due: Int64) -> Bool {
        while true {
            let left = max(0, due - Clock.now())
            var event = pollfd(fd: stop, events: Int16(POLLIN), revents: 0)
            if poll(&event, 1, Int32(clamping: left / 1_000_000)) > 0 { return false }
            // poll(2) counts in milliseconds; the schedule is finer.
            let rest = due - Clock.now()
            if rest <= 0 { return true }
            if rest < 1_000_000 {
                var pause = timespec(tv_sec: 0, tv_nsec: Int(rest))
                nanosleep(&pause, nil)
            }
        }
    }

    /// The kept connection if the server still has it open.
    private func reusable(
        _ connection: Connection?, _ tally: inout Tally
    ) throws(RequestFailure) -> Connection? {
        guard let connection else { return nil }
        switch connection.peek() {
        case .open: return connection
        case .closed:
            tally.reconnects += 1
            return nil
        case .unsolicited: throw RequestFailure("unsolicited", "bytes before the request")
        }
    }

    private func request(identifier: String, isPost: Bool, closes: Bool) -> [UInt8] {
        var head =
            "\(isPost ? "POST" : "GET") \(options.path) HTTP/1.1\r\nHost: \(options.host)\r\nX-Load-Id: \(identifier)\r\n"
        if closes { head += "Connection: close\r\n" }
        if isPost { head += "Content-Type: application/octet-stream\r\nContent-Length: 512\r\n" }
        return Array((head + "\r\n").utf8) + (isPost ? [UInt8](repeating: UInt8(ascii: "x"), count: 512) : [])
    }

    /// The number after `release=`.
    private static func release(in body: [UInt8]) -> Int? {
        let words = String(decoding: body.prefix(4096), as: UTF8.self).split { $0 == " " || $0 == "\n" }
        return words.first { $0.hasPrefix("release=") }.flatMap { Int($0.dropFirst(8)) }
    }
}
