// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import KintoCore
internal import Wire

/// Runs the build command of a checked-out release, and the release command of a stored one, each as a supervised
/// job, and keeps the caches between builds.
struct Builder: Sendable {
    let home: Home
    let jobs: any JobRunner
    let containment: Containment

    /// - Parameters:
    ///   - directory: the service's root in the checkout.
    ///   - environment: `NAME=value`, whole.
    func build(
        _ release: Release, _ manifest: Manifest, in directory: String, environment: [String],
        secrets: [String]
    )
        async throws
    {
        guard let command = manifest.build.command else { return }
        let place = BuildPlace(home: home, release: release, user: containment.buildUser)
        try await Blocking.run { try place.prepare() }
        let caches = BuildCaches(
            directory: directory, kept: home.cache(release.target), user: containment.buildUser?.identity)
        if !release.noCache { try await caches.restore(manifest.build.cache) }
        let confinement = containment.confineBuild(
            memory: manifest.build.memory, writable: place.writable, workingDirectory: directory)
        defer { place.clear() }
        try await run(
            command, name: "build", stage: .build, release: release, in: directory,
            environment: place.environment(environment), secrets: secrets, timeout: manifest.build.timeout,
            silence: manifest.build.silence, confinement: confinement)
        try await caches.save(manifest.build.cache)
    }

    func run(
        _ command: String, name: String, stage: Stage, release: Release, in directory: String,
        environment: [String],
        secrets: [String], timeout: TimeSpan, silence: TimeSpan?, confinement: Confinement
    ) async throws {
        let releaseDirectory = home.release(release.target, release.number)
        let state = try await jobs.run(
            SupervisorSpec(
                identifier: UUID().uuidString, mode: .job, command: command, workingDirectory: directory,
                environment: environment, logPath: home.releaseLog(release.target, release.number),
                logStyle: .detail,
                logLimit: 50 << 20, secrets: secrets, statePath: "\(releaseDirectory)/\(name).state",
                stopSignal: SIGTERM, stopGrace: 10_000, timeout: timeout.milliseconds,
                silence: silence?.milliseconds ?? 0, confinement: confinement))
        if let failure = JobVerdict(
            name: name, command: command, timeout: timeout, silence: silence, bounds: confinement
        )
        .failure(state, log: home.releaseLog(release.target, release.number)) {
            throw Builder.diskFull(failure, in: directory).at(stage)
        }
    }

    /// A command that fails on a full disk fails in its own words; this is the cause.
    private static func diskFull(_ failure: Failure, in directory: String) -> Failure {
        guard let room = Files.room(directory), room.bytes < 1 << 20 || room.files < 16 else {
            return failure
        }
        return Failure(
            code: "disk-full", "the disk is full: \(directory) has no room left; \(failure.message)",
            evidence: failure.evidence,
            hints: [
                .init("make room on the file system of the home directory", command: "df -h \(directory)")
            ])
    }
}
