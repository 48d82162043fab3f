// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import NIOCore
internal import Synchronization

/// The end of one log in one form: what comes is read and made fit to be shown once, for all who follow it. Only the
/// last pieces are kept. Who is behind, or began in the middle, reads the file until there is a piece that begins where it is.
final class LogTail: Sendable {
    struct Key: Hashable, Sendable {
        let path: String
        /// nil: as it is stored.
        let text: LogText?
    }

    /// Whole lines of a file.
    struct Piece {
        let start: LogReader.Mark
        let end: LogReader.Mark
        let shown: ByteBuffer
    }

    /// What is to be shown next.
    enum Next {
        case piece(Piece)
        /// From the file itself, but no more of it than up to the mark: there the next piece begins.
        case file(upTo: LogReader.Mark?)
        /// Until the next ``Seat/wait()`` returns.
        case nothing
    }

    enum End { case open, over, lost }

    /// One who follows.
    final class Seat: Sendable {
        private let tail: LogTail
        private let number: Int
        private let woken: AsyncStream<Void>

        fileprivate init(_ tail: LogTail, _ number: Int, _ woken: AsyncStream<Void>) {
            self.tail = tail
            self.number = number
            self.woken = woken
        }

        deinit { tail.leave(number) }

        /// `over`, `lost`: nothing comes after what ``next(at:)`` gives from now on.
        var end: End { tail.state.withLock { $0.end } }

        func next(at mark: LogReader.Mark?) -> Next { tail.next(at: mark) }

        /// Returns at once if something changed since the last call, and when the task is cancelled.
        func wait() async {
            tail.starve(number)
            for await _ in woken { return }
        }
    }

    private struct Sitter {
        let wake: AsyncStream<Void>.Continuation
        var isWaiting = false
    }

    private struct State {
        var pieces: [Piece] = []
        var size = 0
        /// Where the reader is.
        var mark: LogReader.Mark?
        var end = End.open
        var sitters: [Int: Sitter] = [:]
        var last = 0
        var waiting = 0
        var task: Task<Void, Never>?
    }

    let key: Key
    private let state = Mutex(State())
    /// Somebody begins to wait.
    private let hunger = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// Bytes of pieces that are kept.
    private static let room = 1 << 20

    /// The time between two pieces. Each watcher that is woken costs processor time which a build may need, so the more there are,
    /// the more is collected first.
    private static func rest(after count: Int) -> Duration { .microseconds(min(count, 250) * 400) }

    /// What all who follow are given together, in bytes: at once, and in a microsecond. A log that grows fast is more than a hundred
    /// megabytes a second for two hundred of them, and a build needs the processor that sends it.
    private static let together = (once: 10 << 20, microsecond: 40)

    /// Bytes after which no more is read at once, so twice that at most: whoever answers visitors may wait for it.
    private static let piece = 64 << 10

    /// How much longer than reading a piece took the reader rests after it, and the longest rest: a flood takes a twentieth of
    /// a processor here, however fast it is written.
    private static let restShare = 19
    private static let longestRest = Duration.milliseconds(100)

    init(_ key: Key) { self.key = key }

    /// nil: nothing comes any more, or everybody left.
    func seat() -> Seat? {
        state.withLock { state in
            guard state.end == .open, state.task == nil || !state.sitters.isEmpty else { return nil }
            state.last += 1
            let (woken, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            state.sitters[state.last] = Sitter(wake: wake)
            return Seat(self, state.last, woken)
        }
    }

    /// Reads from now on, until the log ends or the last one leaves.
    func begin(_ watch: LogWatch, _ changes: LogWatch.Changes) {
        state.withLock { $0.task = Task { await read(watch, changes) } }
    }

    private func leave(_ number: Int) {
        state.withLock { state in
            if state.sitters.removeValue(forKey: number)?.isWaiting == true { state.waiting -= 1 }
            if state.sitters.isEmpty { state.task?.cancel() }
        }
    }

    private func starve(_ number: Int) {
        let isFirst = state.withLock { state in
            guard state.sitters[number]?.isWaiting == false else { return false }
            state.sitters[number]?.isWaiting = true
            state.waiting += 1
            return state.waiting == 1
        }
        if isFirst { hunger.continuation.yield() }
    }

    private func next(at mark: LogReader.Mark?) -> Next {
        state.withLock { state in
            guard let mark, let end = state.mark, mark.file == end.file else {
                return .file(upTo: state.mark)
            }
            if mark.offset >= end.offset { return .nothing }
            if let piece = state.pieces.last(where: { $0.start == mark }) { return .piece(piece) }
            return .file(upTo: end)
        }
    }

    private func read(_ watch: LogWatch, _ begun: LogWatch.Changes) async {
        var changes = begun
        let reader = LogReader(path: key.path, tail: 0, follows: true)
        while !Task.isCancelled {
            // The mark is looked for before reading, so that what came before it is not missed.
            let isOver = ReleaseLog.isClosed(key.path)
            let began = ContinuousClock.now
            let (isAll, bytes) = (try? await Blocking.run { self.take(reader) }) ?? (true, 0)
            let took = ContinuousClock.now - began
            if isOver, isAll { return finish(.over, watch) }
            let count = tell()
            var rest = LogTail.rest(after: count)
            // What is over is told without.
            if !isOver {
                let sending = Duration.microseconds(bytes * count / LogTail.together.microsecond)
                rest = max(rest, sending, min(took * LogTail.restShare, LogTail.longestRest))
            }
            try? await Task.sleep(for: rest)
            if isAll, await !changes.next() {
                if Task.isCancelled { break }
                // The directory went away; the writer may have made it again.
                guard let again = watch.subscribe(to: key.path) else { return finish(.lost, watch) }
                changes = again
            }
            // When all are slow, they read by themselves, and nothing is read for nobody.
            while state.withLock({ $0.waiting == 0 }), !Task.isCancelled {
                for await _ in hunger.stream { break }
            }
        }
        watch.forget(self)
    }

    /// - Returns: whether there is no more now, and the bytes that were taken.
    private func take(_ reader: LogReader) -> (isAll: Bool, bytes: Int) {
        reader.begin()
        var before = reader.mark
        var taken = 0
        let most = min(LogTail.piece, LogTail.together.once / max(1, state.withLock { $0.sitters.count }))
        while taken < most, let chunk = reader.next() {
            taken += chunk.count
            guard let end = reader.mark else { break }
            let start = before?.file == end.file ? before : LogReader.Mark(file: end.file, offset: 0)
            before = end
            // A mark of a gap is no part of a file.
            guard let start, start.offset < end.offset else { continue }
            let piece = Piece(
                start: start, end: end, shown: ByteBuffer(bytes: key.text.map { $0.shown(chunk) } ?? chunk))
            state.withLock { state in
                state.pieces.append(piece)
                state.size += piece.shown.readableBytes
                while state.size > LogTail.room, let first = state.pieces.first {
                    state.size -= first.shown.readableBytes
                    state.pieces.removeFirst()
                }
                state.mark = end
            }
        }
        let mark = reader.mark
        state.withLock { $0.mark = mark }
        return (taken < most, taken)
    }

    /// - Returns: how many were told.
    @discardableResult
    private func tell() -> Int {
        state.withLock { state in
            let count = state.waiting
            for number in state.sitters.keys {
                state.sitters[number]?.isWaiting = false
                state.sitters[number]?.wake.yield()
            }
            state.waiting = 0
            return count
        }
    }

    private func finish(_ end: End, _ watch: LogWatch) {
        watch.forget(self)
        state.withLock { $0.end = end }
        tell()
    }
}
