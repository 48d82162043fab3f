// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The longest that a step of a deploy may take: all that its settings allow within it, and some more. Steps keep their own,
/// shorter deadlines; one that passes this is stuck, and is ended for it.
public enum StageLimit {
    /// Beside what is counted below: writing files, and a machine with much to do.
    static let margin = 60_000
    /// For a checkout, caches, a checksum of everything.
    static let files = 900_000

    /// `KINTO_STAGE_LIMIT=fetch:500ms`: for tests, in debug builds only.
    public static let short: (stage: Stage, time: TimeSpan)? = {
        #if DEBUG
            guard let words = getenv("KINTO_STAGE_LIMIT").map({ String(cString: $0).split(separator: ":") }),
                words.count == 2, let stage = Stage(rawValue: String(words[0])),
                let time = TimeSpan(String(words[1]))
            else { return nil }
            return (stage, time)
        #else
            return nil
        #endif
    }()

    /// - Parameters:
    ///   - manifest: nil before it was read.
    ///   - previous: the settings of what serves; nil: nothing does.
    ///   - groups: what is started.
    ///   - fetch: the longest that a fetch may take, and those of its submodules together once more.
    public static func of(
        _ stage: Stage, _ manifest: Manifest?, previous: Manifest?, groups: [ProcessGroup], fetch: TimeSpan
    ) -> TimeSpan {
        if let (one, time) = short, one == stage { return time }
        let own = manifest ?? Manifest(start: nil)
        // Longest end of what serves: its drain, and its stop.
        let end =
            previous.map { $0.rollout.drain.milliseconds + $0.longestGrace.milliseconds + 10_000 } ?? 0
        let instances = groups.reduce(0) { $0 + $1.instances }
        let stable = groups.compactMap(\.worker?.stable.milliseconds).max() ?? 0
        let allowed =
            switch stage {
            case .fetch: 2 * fetch.milliseconds
            case .build: files + own.build.timeout.milliseconds + 10_000
            // The strategy "recreate" ends what serves before the start.
            case .store: files + (own.release?.timeout.milliseconds ?? 0) + end
            case .start: 1000 * instances
            case .probe:
                (own.probe.deadline.milliseconds + own.probe.timeout.milliseconds) * max(1, instances)
                    // With "overlap": "never" what serves ends in between.
                    + 2 * stable + (groups.contains { $0.worker?.overlaps == false } ? end : 0)
            // What serves may be in the hands of somebody else, who ends it.
            case .swap: end
            // Workers end meanwhile.
            case .drain:
                previous.map { $0.processes.isEmpty ? $0.rollout.drain.milliseconds : end } ?? 0
            }
        return TimeSpan(milliseconds: allowed + margin)
    }
}
