// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Wire

/// What a release's row keeps beside the columns that are searched: one JSON value, tolerant of older versions.
struct ReleaseBody: Codable {
    var commit: CommitID?
    var branch: String
    var subject: String?
    var author: String?
    var trigger: Release.Trigger
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
    var artifact: Release.Artifact?
    var failure: Failure?
    var noCache: Bool?
    var force: Bool?
    var buildKey: String?
    var abortRequested: Bool?
    var manifest: Manifest?
    var config: [String: String]?

    init(_ release: Release) {
        commit = release.commit
        branch = release.branch
        subject = release.subject
        author = release.author
        trigger = release.trigger
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
        artifact = release.artifact
        failure = release.failure
        noCache = release.noCache
        force = release.force ? true : nil
        buildKey = release.buildKey
        abortRequested = release.abortRequested
        manifest = release.manifest
        config = release.config
    }

    func encoded() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    static func release(_ row: Row) throws -> Release {
        let text: String = row["body"]
        let body = try JSONDecoder().decode(ReleaseBody.self, from: Data(text.utf8))
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
        release.subject = body.subject ?? ""
        release.author = body.author ?? ""
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
        release.artifact = body.artifact
        release.failure = body.failure
        release.noCache = body.noCache ?? false
        release.force = body.force ?? false
        release.buildKey = body.buildKey
        release.abortRequested = body.abortRequested ?? false
        release.manifest = body.manifest
        release.config = body.config
        return release
    }
}
