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
    let floor: FreeSpaceFloor

    /// A command of a release.
    struct Command {
        let text: String
        /// `build`, `release`, `after`
        let name: String
        let stage: Stage
        let directory: String
        /// `NAME=value`, whole.
        let environment: [String]
        let secrets: [String]
        let timeout: TimeSpan
        var silence: TimeSpan?
        let confinement: Confinement
    }

    /// Runs the build command, if there is one, or waits for the end of the one that an earlier server started.
    /// - Parameters:
    ///   - environment: `NAME=value`, whole.
    ///   - checkOut: makes the checkout; not called when the command runs there already.
    func build(
        _ release: Release, _ manifest: Manifest, at place: BuildPlace, environment: [String],
        secrets: [String],
        _ recorder: ReleaseRecorder, checkOut: () async throws -> Void
    ) async throws {
        guard let text = manifest.build.command else { return try await checkOut() }
        func command(in directory: String) -> Command {
            Command(
                text: text, name: "build", stage: .build, directory: directory,
                environment: place.environment(environment), secrets: secrets,
                timeout: manifest.build.timeout,
                silence: manifest.build.silence,
                confinement: floor.hold(
                    containment.confineBuild(
                        memory: manifest.build.memory, writable: place.writable, workingDirectory: directory))
            )
        }
        func caches(in directory: String) -> BuildCaches {
            BuildCaches(
                directory: directory, kept: home.cache(release.target), user: containment.buildUser?.identity)
        }
        // The checkout may have become the artifact already.
        let earlier = (try? place.root(manifest)) ?? place.workspace
        if let state = try await ended(command(in: earlier), release, recorder, orElse: { _ in nil }) {
            try await judge(state, command(in: earlier), release)
            return try await caches(in: earlier).save(manifest.build.cache)
        }
        try await checkOut()
        let directory = try place.root(manifest)
        try await Blocking.run { try place.prepare() }
        // Above the heading: what is below it is what the command printed, and a failure is explained from that.
        if let reduced = containment.reduced { await recorder.log(.detail(reduced)) }
        if release.noCache {
            for path in manifest.build.cache {
                await recorder.log(.detail("cache \(path): not used, by --no-cache"))
            }
        } else {
            try await caches(in: directory).restore(manifest.build.cache) { await recorder.log(.detail($0)) }
        }
        await recorder.log(.step("Building: \(text)"))
        try await run(command(in: directory), release, recorder)
        try await caches(in: directory).save(manifest.build.cache)
    }

    /// Runs a command of `release` once: of one that an earlier server started the end is waited for.
    /// - Throws: `Failure` of code `release-interrupted` or `after-interrupted` when nobody knows how far it came.
    func runOnce(_ command: Command, _ release: Release, _ recorder: ReleaseRecorder) async throws {
        let state = try await ended(command, release, recorder) { isUnknown in
            guard isUnknown else { return nil }
            throw interrupted(command, release.target)
        }
        if let state { return try await judge(state, command, release) }
        await recorder.log(
            .step("\(command.name == "after" ? "After the release" : "Release command"): \(command.text)"))
        try await run(command, release, recorder)
    }

    private func interrupted(_ command: Command, _ target: Target) -> Failure {
        if command.name == "after" {
            return Failure(
                stage: command.stage, code: "after-interrupted",
                "the after command was interrupted, and nobody knows how far it came; it is not run twice by itself",
                hints: [.init("run it by hand", command: "kinto run \(target.words) -- COMMAND")])
        }
        return Failure(
            stage: command.stage, code: "release-interrupted",
            "the release command was interrupted, and nobody knows how far it came; it is not run twice by itself",
            hints: [
                .init(
                    "when you have looked at what it left, deploy again",
                    command: "kinto deploy \(target.words)")
            ])
    }

    /// The end of the command that an earlier server started; nil when it is to be run.
    /// - Parameter other: decides when there is no word of the end; told whether it may have run.
    private func ended(
        _ command: Command, _ release: Release, _ recorder: ReleaseRecorder,
        orElse other: (Bool) throws -> SupervisorState?
    ) async throws -> SupervisorState? {
        guard let job = release.jobs[command.name] else { return nil }
        await recorder.log(.detail("The \(command.name) command went on while the server was away"))
        switch try await jobs.rejoin(job) {
        case .ended(let state): return state
        case .neverRan: return try other(false)
        case .unknown: return try other(true)
        }
    }

    private func run(_ command: Command, _ release: Release, _ recorder: ReleaseRecorder) async throws {
        let statePath = "\(home.release(release.target, release.number))/\(command.name).state"
        let identifier = UUID().uuidString
        let spec = SupervisorSpec(
            identifier: identifier, mode: .job, command: command.text,
            workingDirectory: command.directory, environment: command.environment,
            logPath: home.releaseLog(release.target, release.number), logStyle: .detail,
            logLimit: 50 << 20, secrets: command.secrets, statePath: statePath,
            stopSignal: SIGTERM, stopGrace: 10_000, timeout: command.timeout.milliseconds,
            silence: command.silence?.milliseconds ?? 0, confinement: command.confinement)
        let state: SupervisorState
        do {
            state = try await jobs.run(spec) { supervisor in
                try Fault.jobStarted.reach()
                try await recorder.starting(
                    command.name,
                    Job(
                        identifier: identifier, supervisor: supervisor, statePath: statePath, startedAt: .now)
                )
            }
        } catch let failure as Failure where failure.code == "supervisor-lost" {
            // A command may fill the disk before its supervisor has written that it began.
            throw Builder.diskFull(failure, in: command.directory).at(command.stage)
        }
        try await judge(state, command, release)
    }

    private func judge(_ state: SupervisorState, _ command: Command, _ release: Release) async throws {
        try Fault.jobEnded.reach()
        let verdict = JobVerdict(
            name: command.name, command: command.text, timeout: command.timeout, silence: command.silence,
            bounds: command.confinement)
        guard let failure = verdict.failure(state) else { return }
        let diagnosis = Diagnosis(
            .command(log: home.releaseLog(release.target, release.number)), release.target,
            release: release.number, command: command.text, directory: command.directory,
            environment: command.environment, ending: state.ending)
        // The log may be large, and a failure that is not explained is one all the same.
        let explained = (try? await WorkerThread.behind { diagnosis.explain(failure) }) ?? failure
        throw Builder.diskFull(explained, in: command.directory).at(command.stage)
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
