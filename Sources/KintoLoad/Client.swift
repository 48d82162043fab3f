// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization

/// One visitor on a thread of its own: its share of the open-loop schedule of its kind.
final class Client: Sendable {
    let kind: Kind
    private let options: Options
    private let index: Int
    /// The visitors of this kind, who take turns.
    private let count: Int
    /// Of the schedule, on ``Clock``.
    private let start: Int64
    private let stop: StopSignal
    private let result = Mutex<Tally>(Tally())

    init(_ options: Options, _ kind: Kind, index: Int, of count: Int, start: Int64, stop: StopSignal) {
        self.options = options
        self.kind = kind
        self.index = index
        self.count = count
        self.start = start
        self.stop = stop
    }

    /// All that the options ask for.
    static func all(_ options: Options, start: Int64, stop: StopSignal) -> [Client] {
        let numbers =
            options.isMixed
            ? Kind.allCases.map { ($0, $0.visitors(rate: options.rate)) } : [(.simple, options.connections)]
        return numbers.flatMap { kind, count in
            (0..<count).map { Client(options, kind, index: $0, of: count, start: start, stop: stop) }
        }
    }

    /// Complete once the thread ended.
    var tally: Tally { result.withLock { $0 } }

    /// - Returns: nil when the system gives no thread.
    func startThread() -> pthread_t? {
        Threads.start {
            var tally = Tally()
            if self.kind == .socket {
                WebSocketVisitor(options: self.options, index: self.index, start: self.start, stop: self.stop)
                    .run(&tally)
            } else {
                self.run(&tally)
            }
            self.result.withLock { $0 = tally }
        }
    }

    private func run(_ tally: inout Tally) {
        let perSecond = Double(options.rate) * (kind == .simple ? 1 : Double(kind.share) / 1000)
        var connection: Connection? = nil
        var number = index
        while true {
            let due = start + Int64(Double(number) * 1e9 / perSecond)
            guard stop.waits(until: due) else { break }
            let request = Request(
                kind, options, identifier: "\(kind)-\(getpid())-\(start)-\(number)", isPost: isPost(number),
                isLast: !keepsAlive(number), seed: UInt64(number))
            if request.isPost { tally.posts += 1 }
            do throws(RequestFailure) {
                let current =
                    if let kept = try reusable(connection, &tally) { kept } else {
                        try Connection(to: options)
                    }
                let response = try current.exchange(request.pieces, pause: request.pause)
                try request.check(response)
                tally.succeed(
                    release: Self.release(in: response.body), isOrdered: kind == .simple,
                    after: Clock.now() - due)
                connection = keepsAlive(number) && response.isReusable ? current : nil
                tally.note(options, kind, due: due, latency: Clock.now() - due, request)
            } catch {
                tally.fail(error, identifier: request.identifier, at: Clock.now() - start)
                tally.note(options, kind, due: due, latency: nil, request)
                connection = nil
            }
            number += count
        }
    }

    /// By this client's own count, so that kept and fresh connections get the same share.
    private func isPost(_ number: Int) -> Bool {
        kind == .simple ? !options.isPlain && (number / count + index).isMultiple(of: 5) : kind.isPost
    }

    private func keepsAlive(_ number: Int) -> Bool {
        switch kind {
        case .simple: options.isPlain || index.isMultiple(of: 2)
        case .fresh: false
        case .kept: true
        default: !(number / count).isMultiple(of: 4)
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

    /// The number after `release=`.
    private static func release(in body: [UInt8]) -> Int? {
        let words = String(decoding: body.prefix(4096), as: UTF8.self).split { $0 == " " || $0 == "\n" }
        return words.first { $0.hasPrefix("release=") }.flatMap { Int($0.dropFirst(8)) }
    }
}
