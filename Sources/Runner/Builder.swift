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
        if !release.noCache { try await restoreCaches(release.target, manifest, to: directory) }
        try await run(
            command, name: "build", stage: .build, release: release, in: directory, environment: environment,
            secrets: secrets, timeout: manifest.build.timeout, silence: manifest.build.silence)
        try await saveCaches(release.target, manifest, from: directory)
    }

    func run(
        _ command: String, name: String, stage: Stage, release: Release, in directory: String,
        environment: [String],
        secrets: [String], timeout: TimeSpan, silence: TimeSpan?
    ) async throws {
        let releaseDirectory = home.release(release.target, release.number)
        let state = try await jobs.run(
            SupervisorSpec(
                identifier: UUID().uuidString, mode: .job, command: command, workingDirectory: directory,
                environment: environment, logPath: home.releaseLog(release.target, release.number),
                logStyle: .detail,
                logLimit: 50 << 20, secrets: secrets, statePath: "\(releaseDirectory)/\(name).state",
                stopSignal: SIGTERM, stopGrace: 10_000, timeout: timeout.milliseconds,
                silence: silence?.milliseconds ?? 0))
        if let failure = JobVerdict(name: name, command: command, timeout: timeout, silence: silence)
            .failure(state, log: home.releaseLog(release.target, release.number))
        {
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
