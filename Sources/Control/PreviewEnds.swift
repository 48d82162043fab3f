// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Logging
internal import Wire

/// Ends previews whose time is over.
final class PreviewEnds: Sendable {
    private let (wakes, waker) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    /// Clocks are set: no wait is longer.
    private static let longest = Duration.seconds(3600)
    /// One that could not be ended is tried again after this.
    private static let pause = Duration.seconds(60)

    /// Has it look again: an end was set.
    func wake() { waker.yield() }

    /// Until it is cancelled.
    /// - Parameter end: stops and forgets one.
    func run(_ store: Store, _ logger: Logger, end: @escaping @Sendable (Target) async throws -> Void) async {
        var wakes = wakes.makeAsyncIterator()
        while !Task.isCancelled {
            let next = await look(store, logger, end)
            let timer = next.map { pause in
                Task {
                    try await Task.sleep(for: pause)
                    wake()
                }
            }
            let woken: Void? = await wakes.next()
            timer?.cancel()
            guard woken != nil else { return }
        }
    }

    /// - Returns: when to look again; nil: there is nothing to wait for.
    private func look(
        _ store: Store, _ logger: Logger, _ end: @Sendable (Target) async throws -> Void
    ) async -> Duration? {
        let previews: [RegisteredEnvironment]
        do { previews = try await store.previews() } catch { return Self.pause }
        var next: Duration?
        for preview in previews {
            guard let until = preview.previewUntil else { continue }
            let left = until.milliseconds - Timestamp.now.milliseconds
            guard left <= 0 else { return min(next ?? Self.longest, .milliseconds(left), Self.longest) }
            do {
                try await end(preview.target)
                logger.notice("preview ended", metadata: ["target": "\(preview.target)"])
            } catch {
                next = Self.pause
                logger.error(
                    "a preview cannot be ended; it is tried again",
                    metadata: ["target": "\(preview.target)", "error": "\(error)"])
            }
        }
        return next
    }
}
