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

    /// A command of a release.
    struct Command {
        let text: String
        /// `build`, `release`
        let name: String
        let stage: Stage
        let directory: String
        /// `NAME=value`, whole.
        let environment: [String]
        let secrets: [String]
        let timeout: TimeSpan
        var silence: TimeSpan?
    }

    /// Runs the build command, if there is one, or waits for the end of the one that an earlier server started.
    /// - Parameter checkOut: makes the directory that it is run in; not called when it runs there already.
    func build(
        _ release: Release, _ manifest: Manifest, _ command: Command?, _ recorder: ReleaseRecorder,
        checkOut: () async throws -> Void
    ) async throws {
        guard let command else { return try await checkOut() }
        if let state = try await ended(command, release, recorder, orElse: { _ in nil }) {
            try judge(state, command, release)
        } else {
            try await checkOut()
            await recorder.log(.step("Building: \(command.text)"))
            if !release.noCache {
                try await restoreCaches(release.target, manifest, to: command.directory)
            }
            try await run(command, release, recorder)
        }
        try await saveCaches(release.target, manifest, from: command.directory)
    }

    /// Runs the release command once: of one that an earlier server started the end is waited for.
    /// - Throws: `Failure` of code `release-interrupted` when nobody knows how far it came.
    func runOnce(_ command: Command, _ release: Release, _ recorder: ReleaseRecorder) async throws {
        let state = try await ended(command, release, recorder) { isUnknown in
            guard isUnknown else { return nil }
            throw Failure(
                stage: command.stage, code: "release-interrupted",
                "the release command was interrupted, and nobody knows how far it came; it is not run twice by itself",
                hints: [
                    .init(
                        "when you have looked at what it left, deploy again",
                        command: "kinto deploy \(release.target.service)")
                ])
        }
        if let state { return try judge(state, command, release) }
        await recorder.log(.step("Release command: \(command.text)"))
        try await run(command, release, recorder)
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
        let state = try await jobs.run(
            SupervisorSpec(
                identifier: identifier, mode: .job, command: command.text,
                workingDirectory: command.directory, environment: command.environment,
                logPath: home.releaseLog(release.target, release.number), logStyle: .detail,
                logLimit: 50 << 20, secrets: command.secrets, statePath: statePath,
                stopSignal: SIGTERM, stopGrace: 10_000, timeout: command.timeout.milliseconds,
                silence: command.silence?.milliseconds ?? 0)
        ) { supervisor in
            try Fault.jobStarted.reach()
            try await recorder.starting(
                command.name,
                Job(identifier: identifier, supervisor: supervisor, statePath: statePath, startedAt: .now))
        }
        try judge(state, command, release)
    }

    private func judge(_ state: SupervisorState, _ command: Command, _ release: Release) throws {
        try Fault.jobEnded.reach()
        let verdict = JobVerdict(
            name: command.name, command: command.text, timeout: command.timeout, silence: command.silence)
        if let failure = verdict.failure(state, log: home.releaseLog(release.target, release.number)) {
            throw Builder.diskFull(failure, in: command.directory).at(command.stage)
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

    private func restoreCaches(_ target: Target, _ manifest: Manifest, to directory: String) async throws {
        for path in manifest.build.cache {
            let kept = "\(home.cache(target))/\(Builder.key(path))"
            guard Files.isDirectory(kept), !Files.exists("\(directory)/\(path)") else { continue }
            try Files.makeDirectories(Files.parent(of: "\(directory)/\(path)"))
            try await copy(kept, to: "\(directory)/\(path)")
        }
    }

    /// Each cache is copied beside the old one and takes its place by rename.
    private func saveCaches(_ target: Target, _ manifest: Manifest, from directory: String) async throws {
        for path in manifest.build.cache where Files.isDirectory("\(directory)/\(path)") {
            let kept = "\(home.cache(target))/\(Builder.key(path))"
            try Files.makeDirectories(home.cache(target))
            try Files.removeTree("\(kept).new")
            try await copy("\(directory)/\(path)", to: "\(kept).new")
            try Files.removeTree("\(kept).old")
            if Files.exists(kept) { try check("rename", kept) { rename(kept, "\(kept).old") } }
            try check("rename", kept) { rename("\(kept).new", kept) }
            try Files.removeTree("\(kept).old")
        }
    }

    /// One directory name for a relative path.
    private static func key(_ path: String) -> String {
        path.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                String(UnicodeScalar(byte))
            default: "%\(String(byte, radix: 16))"
            }
        }.joined()
    }

    private func copy(_ source: String, to destination: String) async throws {
        try await Blocking.run {
            let pid = try Spawn(
                path: "/bin/cp", arguments: ["cp", "-a", "--reflink=auto", "--", source, destination],
                environment: ["PATH=/usr/bin:/bin", "LC_ALL=C"]
            ).start()
            var status: Int32 = 0
            try check("waitpid", "cp") { waitpid(pid, &status, 0) }
            guard status == 0 else {
                throw Failure(
                    code: "cache-copy", "the cache \(source) could not be copied",
                    hints: [.init("build without caches", command: "kinto deploy NAME --no-cache")])
            }
        }
    }
}
