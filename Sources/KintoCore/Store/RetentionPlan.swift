// SPDX-License-Identifier: Apache-2.0
public import Wire

/// What may go, decided from the record alone.
public struct RetentionPlan: Sendable, Equatable {
    /// An artifact, and all the releases that have it.
    public struct Doomed: Sendable, Equatable {
        public let identifier: String
        public let bytes: Int64
        /// `SERVICE/ENVIRONMENT/NUMBER`
        public let releases: [String]
    }

    /// Oldest first.
    public var artifacts: [Doomed] = []
    /// Releases of which nothing may go, `SERVICE/ENVIRONMENT/NUMBER`.
    public var held: Set<String> = []

    /// - Parameters:
    ///   - releases: those that have an artifact, serve, run, are pinned or not over yet.
    ///   - pinned: by the store's key.
    ///   - only: nil: of all services.
    ///   - isAsked: by a person, now: what was just used is no exception then.
    public init(
        _ releases: [Release], pinned: Set<Int64>, settings: RetentionSettings, now: Timestamp,
        only: ServiceName? = nil, isAsked: Bool = false
    ) {
        let targets = Dictionary(grouping: releases, by: \.target).mapValues {
            $0.sorted { $0.number > $1.number }
        }
        var kept = Set<Int64>()
        for list in targets.values {
            kept.formUnion(
                Self.untouchable(list, pinned: pinned, now: now, recent: isAsked ? 0 : Int64(settings.recent))
                    .map(\.id))
        }
        let held = kept
        for list in targets.values {
            if let only, list.first?.target.service != only {
                kept.formUnion(list.map(\.id))
                continue
            }
            kept.formUnion(Self.byCount(list, settings, now).map(\.id))
        }
        var groups: [String: [Release]] = [:]
        for release in releases {
            if let artifact = release.artifact, artifact.available {
                groups[artifact.identifier, default: []].append(release)
            }
        }
        // Only what no release has any more that is kept.
        var doomed = groups.values.filter { group in !group.contains { kept.contains($0.id) } }
        if settings.artifactBytes < .max {
            var total = groups.values.reduce(Int64(0)) { $0 &+ ($1.first?.artifact?.bytes ?? 0) }
            total &-= doomed.reduce(Int64(0)) { $0 &+ ($1.first?.artifact?.bytes ?? 0) }
            let more = groups.values.filter { group in
                group.contains { kept.contains($0.id) } && !group.contains { held.contains($0.id) }
                    && (only == nil || group.allSatisfy { $0.target.service == only })
            }.sorted { Self.newest($0) < Self.newest($1) }
            for group in more where total > Int64(settings.artifactBytes) {
                total &-= group.first?.artifact?.bytes ?? 0
                doomed.append(group)
            }
        }
        artifacts = doomed.sorted { Self.newest($0) < Self.newest($1) }.compactMap { group in
            group.first?.artifact.map {
                Doomed(
                    identifier: $0.identifier, bytes: $0.bytes,
                    releases: group.sorted { $0.id < $1.id }.map(\.upstream))
            }
        }
        self.held = Set(releases.filter { held.contains($0.id) }.map(\.upstream))
    }

    /// Which logs of one environment may go.
    /// - Parameters:
    ///   - releases: those that have logs: number, and milliseconds since something was written there.
    ///   - held: numbers whose logs stay.
    public static func logs(
        _ releases: [(number: Int, age: Int64)], held: Set<Int>, settings: RetentionSettings
    ) -> [Int] {
        releases.sorted { $0.number > $1.number }.enumerated().compactMap { index, release in
            let isOver =
                index >= settings.logs
                || index >= RetentionSettings.least && release.age > Int64(settings.logAge)
            return isOver && !held.contains(release.number) ? release.number : nil
        }
    }

    private static func newest(_ group: [Release]) -> Int64 { group.map(\.id).max() ?? 0 }

    /// What somebody may need at any moment: what serves, runs, is queued or under way, was pinned, or would come back.
    private static func untouchable(
        _ list: [Release], pinned: Set<Int64>, now: Timestamp, recent: Int64
    ) -> [Release] {
        let live = list.first(where: \.live)
        let comesBack = [
            live?.watch.flatMap { $0.until > now ? $0.previous : nil },
            // Where "kinto rollback" goes.
            list.first { $0.isProven && !$0.live && $0.number < live?.number ?? .max }?.number,
        ]
        // Pages that are open may still ask for their files.
        let answering = Set(live?.earlierFiles(list, now: now).map(\.release.id) ?? [])
        // A release under way by one of these may still turn to it.
        let sources = list.filter { !$0.status.isFinal }.compactMap(\.rollbackOf)
        return list.filter { release in
            release.live || !release.status.isFinal || !release.instances.isEmpty
                || answering.contains(release.id) || release.warmUntil.map { $0 > now } == true
                || pinned.contains(release.id)
                || comesBack.contains(release.number) || sources.contains(release.number)
                || abs(now.milliseconds &- (release.finishedAt ?? release.createdAt).milliseconds) < recent
        }
    }

    /// The newest artifacts that were live, and a few of those that failed: the same tree may be tried again.
    private static func byCount(_ list: [Release], _ settings: RetentionSettings, _ now: Timestamp)
        -> [Release]
    {
        var proven = Set<String>()
        var failed = Set<String>()
        return list.filter { release in
            guard let artifact = release.artifact, artifact.available else { return false }
            let age = now.milliseconds &- (release.finishedAt ?? release.createdAt).milliseconds
            if settings.artifactAge < .max, age > Int64(settings.artifactAge) { return false }
            if proven.contains(artifact.identifier) || failed.contains(artifact.identifier) { return true }
            if release.live { return true }
            if release.isProven {
                guard proven.count < settings.artifacts else { return false }
                proven.insert(artifact.identifier)
                return true
            }
            guard failed.count < 2 else { return false }
            failed.insert(artifact.identifier)
            return true
        }
    }
}
