// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// Reads a log as it grows: whole lines, from the beginning or the last few, over rotations, until the log is marked
/// as over (`ReleaseLog.close`) or the reader stops. The reader sets the pace: nothing is read before what was read
/// last is taken, so a slow one costs neither memory nor the writer's time. It reads on from the files, and is told
/// how many lines it missed when they were rotated away meanwhile.
struct LogFollower: Sendable {
    let path: String
    /// nil: what is there now.
    let watch: LogWatch?
    /// Only the last so many lines of what is there.
    var tail: Int?

    /// Calls `show` with chunks of whole lines, each ending with a newline.
    func read(_ show: ([UInt8]) async throws -> Void) async throws {
        let changes = watch?.subscribe(to: path)
        let reader = LogReader(path: path, tail: tail, follows: watch != nil)
        guard let watch else { return try await showAll(reader, show) }
        guard var changes else { return try await showAll(reader, show, lost: true) }
        while true {
            // The mark is looked for before reading, so that what came before it is not missed.
            let isOver = ReleaseLog.isClosed(path)
            try await showAll(reader, show)
            if isOver { return }
            try Task.checkCancellation()
            if await changes.next() { continue }
            try Task.checkCancellation()
            // The directory went away; the writer may have made it again.
            guard let again = watch.subscribe(to: path) else {
                return try await showAll(reader, show, lost: true)
            }
            changes = again
        }
    }

    private func showAll(
        _ reader: LogReader, _ show: ([UInt8]) async throws -> Void, lost: Bool = false
    ) async throws {
        while let chunk = try await Blocking.run({ reader.next() }) { try await show(chunk) }
        if lost {
            try await show(LogReader.note("the directory of this log is gone; it is not followed any more"))
        }
    }
}
