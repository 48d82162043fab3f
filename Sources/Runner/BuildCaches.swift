// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import KintoCore
internal import Wire

/// The directories that are kept between the builds of a target. They are copied by the server, so no link may lead the
/// copy out of the checkout.
struct BuildCaches: Sendable {
    /// The service's root in the checkout.
    let directory: String
    /// Where they are kept.
    let kept: String
    /// Whose build it is; nil: the server's.
    let user: Confinement.User?

    /// - Parameter tell: what became of each, for people.
    func restore(_ paths: [String], tell: (String) async -> Void) async throws {
        for path in paths {
            let source = "\(kept)/\(BuildCaches.key(path))"
            guard Files.isDirectory(source) else {
                await tell("cache \(path): miss, nothing is kept of it yet")
                continue
            }
            guard !Files.exists("\(directory)/\(path)") else {
                await tell("cache \(path): not used, the commit has it itself")
                continue
            }
            let size = try await Blocking.run {
                let target = try Beneath(directory).make(path, owner: user)
                try copy("\(source)/.", to: "/proc/self/fd/0", target, path)
                // Of an earlier build of another user's.
                if let user { try Ownership.give(target, shown: path, to: user) }
                return BuildCaches.size(source)
            }
            await tell(
                "cache \(path): hit, \(size < 1 << 20 ? "\((size + 1023) >> 10) KiB" : "\(size >> 20) MiB")")
        }
    }

    /// In bytes of blocks; links are not followed.
    private static func size(_ path: String) -> Int {
        var status = stat()
        guard lstat(path, &status) == 0 else { return 0 }
        var total = Int(status.st_blocks) &* 512
        guard status.st_mode & S_IFMT == S_IFDIR else { return total }
        for name in (try? Files.list(path)) ?? [] { total &+= size("\(path)/\(name)") }
        return total
    }

    /// Each cache is copied beside the old one and takes its place by rename.
    func save(_ paths: [String]) async throws {
        for path in paths {
            try await Blocking.run {
                guard let source = try? Beneath(directory).open(path) else { return }
                if let user { try verify(source, path, isOf: user) }
                let place = "\(kept)/\(BuildCaches.key(path))"
                try Files.makeDirectories(kept)
                try Files.removeTree("\(place).new")
                try check("mkdir", "\(place).new") { mkdir("\(place).new", 0o700) }
                try copy("/proc/self/fd/0/.", to: "\(place).new", source, path)
                try Files.removeTree("\(place).old")
                if Files.exists(place) { try check("rename", place) { rename(place, "\(place).old") } }
                try check("rename", place) { rename("\(place).new", place) }
                try Files.removeTree("\(place).old")
            }
        }
    }

    /// Files that are not the build's own come from somewhere else, by a second name.
    private func verify(_ source: Descriptor, _ path: String, isOf user: Confinement.User) throws {
        do { try Ownership.give(source, shown: path, to: user, from: user.user) } catch {
            guard error.code == EPERM else { throw error }
            throw Failure(
                stage: .build, code: "cache-copy",
                "'\(error.subject)' in a cache belongs to another user than the build's, so it cannot be kept",
                hints: [.init("have the build copy it instead of linking it")])
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

    /// - Parameter opened: the one of both that is in the checkout.
    private func copy(_ source: String, to destination: String, _ opened: Descriptor, _ path: String) throws {
        let pid = try Spawn(
            path: "/bin/cp", arguments: ["cp", "-a", "--reflink=auto", "--", source, destination],
            environment: ["PATH=/usr/bin:/bin", "LC_ALL=C"], standardInput: opened
        ).start()
        var status: Int32 = 0
        try check("waitpid", "cp") { waitpid(pid, &status, 0) }
        guard status == 0 else {
            throw Failure(
                code: "cache-copy", "the cache \(path) could not be copied",
                hints: [.init("build without caches", command: "kinto deploy NAME --no-cache")])
        }
    }
}
