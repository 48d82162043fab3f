// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import NIOCore
internal import Synchronization
internal import Wire

/// Reads a log as it grows: whole lines, from the beginning or the last few, over rotations, until the log is marked
/// as over (`ReleaseLog.close`) or the reader stops. The reader sets the pace: nothing is read before what was read
/// last is taken, so a slow one costs neither memory nor the writer's time. It reads on from the files, and is told
/// how many lines it missed when they were rotated away meanwhile. One that takes nothing for ``patience`` is let go.
/// Those who are at the end of the log are given what came by the ``LogTail`` that they share.
struct LogFollower: Sendable {
    let path: String
    /// nil: what is there now.
    let watch: LogWatch?
    /// nil: as it is stored.
    var text: LogText?
    /// Only the last so many lines of what is there.
    var tail: Int?
    /// Where to begin; nil: at the beginning.
    var start: LogReader.Mark?
    /// How long a reader may take for one chunk, which has 64 KiB at most.
    var patience = standardPatience

    /// A minute. `KINTO_WATCHER_PATIENCE=2s`: for tests, in debug builds only.
    private static let standardPatience: Duration = {
        #if DEBUG
            if let text = getenv("KINTO_WATCHER_PATIENCE"), let time = TimeSpan(String(cString: text)) {
                return time.duration
            }
        #endif
        return .seconds(60)
    }()

    /// A reader that took too long.
    struct Stalled: Error {}

    /// Calls `show` with chunks of whole lines, each ending with a newline.
    /// - Throws: ``Stalled`` when one of these calls does not return within the patience; the task is cancelled then, so
    ///   that the call ends.
    func read(_ show: (ByteBuffer) async throws -> Void) async throws {
        let guardian = StallGuard(patience: patience)
        // Whoever reads is not a value that could be handed to another task: what ends is this one.
        try await withUnsafeCurrentTask { current in
            let reader = Reader(task: current)
            let watching = Task { await guardian.watch { reader.cancel() } }
            do {
                try await follow { chunk in
                    guardian.begin()
                    defer { guardian.end() }
                    try await show(chunk)
                }
            } catch {
                watching.cancel()
                // The task that is to be cancelled has to be there as long as somebody may cancel it.
                await watching.value
                throw guardian.hasStalled ? Stalled() : error
            }
            watching.cancel()
            await watching.value
        }
    }

    private func follow(_ show: (ByteBuffer) async throws -> Void) async throws {
        let reader = LogReader(path: path, tail: tail, start: start, follows: watch != nil)
        guard let watch else { return try await showRest(reader, show) }
        guard let seat = watch.join(LogTail.Key(path: path, text: text)) else {
            return try await showRest(reader, show, lost: true)
        }
        while true {
            let end = seat.end
            if end == .lost { return try await showRest(reader, show, lost: true) }
            try await showNew(reader, seat, show)
            if end == .over { return }
            try Task.checkCancellation()
            await seat.wait()
            try Task.checkCancellation()
        }
    }

    private func showNew(
        _ reader: LogReader, _ seat: LogTail.Seat, _ show: (ByteBuffer) async throws -> Void
    ) async throws {
        while true {
            switch seat.next(at: reader.mark) {
            case .piece(let piece):
                reader.pass(to: piece.end)
                if piece.shown.readableBytes > 0 { try await show(piece.shown) }
            case .file(let limit):
                guard let chunk = try await Blocking.run({ reader.next(upTo: limit).map(shown) }) else {
                    return
                }
                if chunk.readableBytes > 0 { try await show(chunk) }
            case .nothing: return
            }
        }
    }

    private func showRest(
        _ reader: LogReader, _ show: (ByteBuffer) async throws -> Void, lost: Bool = false
    ) async throws {
        while let chunk = try await Blocking.run({ reader.next().map(shown) }) {
            if chunk.readableBytes > 0 { try await show(chunk) }
        }
        if lost {
            let why =
                Files.isDirectory(Files.parent(of: path))
                ? "the kernel has no watch left for this log (sysctl fs.inotify)"
                : "the directory of this log is gone"
            try await show(shown(LogReader.note("\(why); it is not followed any more")))
        }
    }

    private func shown(_ chunk: [UInt8]) -> ByteBuffer {
        ByteBuffer(bytes: text.map { $0.shown(chunk) } ?? chunk)
    }
}

/// The task that reads.
// Proof: UnsafeCurrentTask.cancel may be called from any task while the one it refers to is there, and `read` waits for the one that
// calls it before it returns.
private struct Reader: @unchecked Sendable {
    let task: UnsafeCurrentTask?

    func cancel() { task?.cancel() }
}
