// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Wire

/// What a release's row keeps beside the columns that are searched: one JSON value, tolerant of older versions.
struct ReleaseBody: Codable {
    var commit: CommitID?
    var tip: CommitID?
    var branch: String
    var subject: String?
    var author: String?
    var trigger: Release.Trigger
    var by: String?
    var rollbackOf: Int?
    var supersededBy: Int?
    var createdAt: Timestamp
    var startedAt: Timestamp?
    var liveAt: Timestamp?
    var finishedAt: Timestamp?
    var timings: [String: Double]?
    var swap: Release.SwapReceipt?
    var watch: Release.Watch?
    var warmUntil: Timestamp?
    var instances: [Instance]?
    var jobs: [String: Job]?
    var isAfterDue: Bool?
    var attempts: Int?
    var artifact: Release.Artifact?
    var failure: Failure?
    var warnings: [Warning]?
    var noCache: Bool?
    var force: Bool?
    var buildKey: String?
    var abortRequested: Bool?
    var manifest: Manifest?
    /// Only while it is encoded or decoded, and in what an older version wrote.
    var config: [String: String]?
    var sealedConfig: String?

    private static let place = "configuration of a release"

    init(_ release: Release) {
        commit = release.commit
        tip = release.tip
        branch = release.branch
        subject = release.subject
        author = release.author
        trigger = release.trigger
        by = release.by
        rollbackOf = release.rollbackOf
        supersededBy = release.supersededBy
        createdAt = release.createdAt
        startedAt = release.startedAt
        liveAt = release.liveAt
        finishedAt = release.finishedAt
        timings = release.timings
        swap = release.swap
        watch = release.watch
        warmUntil = release.warmUntil
        instances = release.instances
        jobs = release.jobs.isEmpty ? nil : release.jobs
        isAfterDue = release.isAfterDue ? true : nil
        attempts = release.attempts
        artifact = release.artifact
        failure = release.failure
        warnings = release.warnings.isEmpty ? nil : release.warnings
        noCache = release.noCache
        force = release.force ? true : nil
        buildKey = release.buildKey
        abortRequested = release.abortRequested
        manifest = release.manifest
        config = release.config
    }

    func encoded() throws -> String { try encoded(SecretBox.required()) }

    private func encoded(_ box: SecretBox) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var body = self
        body.config = nil
        body.sealedConfig = try config.map {
            try box.seal(String(decoding: try encoder.encode($0), as: UTF8.self), for: ReleaseBody.place)
        }
        return String(decoding: try encoder.encode(body), as: UTF8.self)
    }

    private mutating func open(_ box: SecretBox) throws {
        guard let sealed = sealedConfig else { return }
        let text = try box.open(sealed, for: ReleaseBody.place)
        config = try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
    }

    /// A stored body with its configuration sealed by another key.
    /// - Parameter old: nil: it is plain.
    static func resealed(_ text: String, with box: SecretBox, opening old: SecretBox?) throws -> String {
        var body = try JSONDecoder().decode(ReleaseBody.self, from: Data(text.utf8))
        if let old { try body.open(old) }
        return try body.encoded(box)
    }

    static func release(_ row: Row) throws -> Release {
        let text: String = row["body"]
        var body = try JSONDecoder().decode(ReleaseBody.self, from: Data(text.utf8))
        try body.open(SecretBox.required())
        let service = try ServiceName(row["service"] as String)
        let environment = try EnvironmentName(row["environment"] as String)
        var release = Release(
            id: row["id"], target: Target(service: service, environment: environment), number: row["number"],
            commit: body.commit, branch: body.branch, trigger: body.trigger, createdAt: body.createdAt)
        guard let status = Release.Status(rawValue: row["status"]) else {
            throw Failure(
                code: "store-damaged", "release \(release.number) of \(release.target) has no valid status")
        }
        release.status = status
        release.live = row["live"]
        release.stage = (row["stage"] as String?).flatMap(Stage.init(rawValue:))
        release.tip = body.tip
        release.subject = body.subject ?? ""
        release.author = body.author ?? ""
        release.by = body.by
        release.rollbackOf = body.rollbackOf
        release.supersededBy = body.supersededBy
        release.startedAt = body.startedAt
        release.liveAt = body.liveAt
        release.finishedAt = body.finishedAt
        release.timings = body.timings ?? [:]
        release.swap = body.swap
        release.watch = body.watch
        release.warmUntil = body.warmUntil
        release.instances = body.instances ?? []
        release.jobs = body.jobs ?? [:]
        release.isAfterDue = body.isAfterDue ?? false
        release.attempts = body.attempts ?? 0
        release.artifact = body.artifact
        release.failure = body.failure
        release.warnings = body.warnings ?? []
        release.noCache = body.noCache ?? false
        release.force = body.force ?? false
        release.buildKey = body.buildKey
        release.abortRequested = body.abortRequested ?? false
        release.manifest = body.manifest
        release.config = body.config
        return release
    }
}
