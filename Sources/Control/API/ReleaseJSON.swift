// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// A release as the API and the commands show it. Absent values are written as null.
struct ReleaseJSON: Encodable {
    let release: Release
    /// Milliseconds by stage; nil: it was not asked for.
    let usual: [String: Double]?

    init(release: Release) { self.init(release: release, usual: nil) }

    init(release: Release, usual: [String: Double]?) {
        self.release = release
        self.usual = usual
    }

    private enum Key: String, CodingKey {
        case service, environment, number, status, live, stage, commit, branch, subject, author, trigger,
            by, rollbackOf
        case warmUntil, supersededBy, createdAt, startedAt, liveAt, finishedAt, timings, usual, swap,
            instances,
            artifact,
            failure, warnings
    }

    private struct InstanceJSON: Encodable {
        let name: String
        let pid: Int32?
        let port: UInt16?
        let command: String?
        let startedAt: String
        let restarts: Int
    }

    private struct ArtifactJSON: Encodable {
        let sha256: String
        let bytes: Int64
        let available: Bool
    }

    func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: Key.self)
        try c.encode(release.target.service, forKey: .service)
        try c.encode(release.target.environment, forKey: .environment)
        try c.encode(release.number, forKey: .number)
        try c.encode(release.status, forKey: .status)
        try c.encode(release.live, forKey: .live)
        try c.encode(release.stage, forKey: .stage)
        try c.encode(release.commit, forKey: .commit)
        try c.encode(release.branch, forKey: .branch)
        try c.encode(release.subject, forKey: .subject)
        try c.encode(release.author, forKey: .author)
        try c.encode(release.trigger, forKey: .trigger)
        try c.encode(release.by, forKey: .by)
        try c.encode(release.rollbackOf, forKey: .rollbackOf)
        try c.encode(release.supersededBy, forKey: .supersededBy)
        try c.encode(release.createdAt.rfc3339, forKey: .createdAt)
        try c.encode(release.startedAt?.rfc3339, forKey: .startedAt)
        try c.encode(release.liveAt?.rfc3339, forKey: .liveAt)
        try c.encode(release.finishedAt?.rfc3339, forKey: .finishedAt)
        try c.encode(release.timings, forKey: .timings)
        try c.encode(usual, forKey: .usual)
        try c.encode(release.swap, forKey: .swap)
        try c.encode(release.warmUntil?.rfc3339, forKey: .warmUntil)
        let groups = release.instances.isEmpty ? [] : release.manifest?.groups() ?? []
        try c.encode(
            release.instances.map { instance in
                ReleaseJSON.instance(instance, groups.first { $0.name == instance.type }?.command)
            }, forKey: .instances)
        try c.encode(
            release.artifact.map {
                ArtifactJSON(sha256: $0.sha256, bytes: $0.bytes, available: $0.available)
            },
            forKey: .artifact)
        try c.encode(release.failure, forKey: .failure)
        try c.encode(release.warnings, forKey: .warnings)
    }

    /// With pid and restarts as the supervisor says now.
    private static func instance(_ recorded: Instance, _ command: String?) -> InstanceJSON {
        let state = try? SupervisorState.read(recorded.statePath)
        return InstanceJSON(
            name: recorded.name, pid: state?.process?.pid ?? recorded.pid, port: recorded.port,
            command: command,
            startedAt: (state?.startedAt ?? recorded.startedAt).rfc3339,
            restarts: state?.restarts ?? recorded.restarts)
    }
}
