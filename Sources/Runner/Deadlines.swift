// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// Who is at what step of a deploy, since when and at the latest until when; and what ends those that are late, so that
/// nothing stays "in progress" for ever.
public actor Deadlines {
    public struct Step: Sendable, Equatable {
        public let target: Target
        public let number: Int
        public let stage: Stage
        public let since: Timestamp
        public let limit: TimeSpan

        /// For people: the wall clock may be changed, the limit is kept by the monotonic one.
        public var until: Timestamp {
            Timestamp(milliseconds: since.milliseconds + Int64(limit.milliseconds))
        }
    }

    private var steps: [Int64: (step: Step, timer: Task<Void, Never>)] = [:]
    private var end: @Sendable (Step, Int64) async -> Void = { _, _ in }
    private let clock: any Clock<Duration>
    /// A step that is over its time is given so long to go on: the whole process may have stood still.
    private let grace: Duration
    /// The longest that a fetch may take.
    nonisolated let fetch: TimeSpan

    /// - Parameter clock: one that stands still while the machine does.
    public init(
        clock: any Clock<Duration> = SuspendingClock(), grace: Duration = .seconds(10),
        fetch: TimeSpan = TimeSpan(milliseconds: FetchLimits().totalTime)
    ) {
        self.clock = clock
        self.fetch = fetch
        self.grace = grace
    }

    /// What ends a release that is stuck: told once, before anything begins.
    public func use(_ end: @escaping @Sendable (Step, Int64) async -> Void) { self.end = end }

    /// The steps under way.
    public var all: [Step] { steps.values.map(\.step) }

    /// A release begins a step; the one before it is over.
    func enter(_ id: Int64, _ step: Step) {
        steps[id]?.timer.cancel()
        let (clock, grace) = (clock, grace)
        steps[id] = (
            step,
            Task { [weak self] in
                do {
                    try await clock.sleep(for: step.limit.duration)
                    try await clock.sleep(for: grace)
                } catch { return }
                await self?.late(id, step)
            }
        )
    }

    /// A release is over, or waits for others.
    public func leave(_ id: Int64) { steps.removeValue(forKey: id)?.timer.cancel() }

    private func late(_ id: Int64, _ step: Step) async {
        guard steps[id]?.step == step else { return }
        await end(step, id)
    }
}

extension Deadlines.Step {
    /// What people are told of a step that is stuck.
    var failure: Failure {
        Failure(
            stage: stage, code: "stage-overdue",
            "the step \(stage.rawValue) took longer than \(limit), more than its settings allow, and was ended",
            hints: [
                .init("see what else waits", command: "kinto doctor"),
                .init("deploy again", command: "kinto deploy \(target.words)"),
            ])
    }
}
