// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
public import KintoCore
internal import Runner
internal import Wire

/// Copies a home, also while its server runs: the state as of one moment, and then what that state refers to, which is
/// only ever added to or protected by ``RetentionLock`` meanwhile.
public struct HomeBackup: Sendable {
    /// What a backup says of itself; it is written last, so that half of one has none.
    struct Label: Codable {
        var format = 1
        var kinto: String
        var createdAt: String
        var home: String

        static let name = "backup.json"
    }

    public struct Summary: Sendable {
        public var services = 0
        public var artifacts = 0
        /// What could not be taken.
        public var notices: [String] = []
    }

    let home: Home
    let version: String

    public init(_ home: Home, version: String) {
        self.home = home
        self.version = version
    }

    /// What holds for a moment or can be made again; all else in a home is copied, whatever it is: keys, certificates
    /// and what later versions put there.
    private static let leftOut: Set<String> = [
        "kinto.db", "kinto.db-wal", "kinto.db-shm", "lock", RetentionLock.name, "kinto.sock", "proxy", "work",
        "artifacts", "repos", "services", "spool",
    ]

    /// - Parameter directory: absolute; not there yet, or empty.
    /// - Throws: `Failure` of code `backup-exists`, `backup-failed`, or that of a database that cannot be used.
    public func write(to directory: String) throws -> Summary {
        umask(0o077)
        guard Files.exists(home.database) else {
            throw Failure(code: "store-missing", "\(home.database) is not there: nothing to back up")
        }
        guard !Files.exists(directory) || (try? Files.list(directory))?.isEmpty == true else {
            throw Failure(
                code: "backup-exists", "\(directory) is not empty; a backup takes a directory of its own")
        }
        guard !(directory + "/").hasPrefix(home.path + "/") else {
            throw Failure(code: "backup-exists", "\(directory) lies in the home itself")
        }
        do {
            return try fill(directory)
        } catch {
            // Half a backup is none.
            for name in (try? Files.list(directory)) ?? [] { try? Files.removeTree("\(directory)/\(name)") }
            if let failure = error as? Failure { throw failure }
            throw Failure(
                code: "backup-failed", "the backup could not be written: \(error)",
                hints: [
                    .init("look for room", command: "df -h \(Files.parent(of: directory))")
                ])
        }
    }

    private func fill(_ directory: String) throws -> Summary {
        var summary = Summary()
        try Files.makeDirectories(directory)
        // Nothing that the state refers to goes before it is copied.
        let lock = try RetentionLock.shared(home)
        defer { withExtendedLifetime(lock) {} }
        // Triggers first: one that is taken up meanwhile is in the state as well, and is known there by its identifier.
        if Files.isDirectory(home.spool) { try Copy.tree(home.spool, to: "\(directory)/spool") }
        let content = try Store.copy(home.database, to: "\(directory)/kinto.db")

        try Files.makeDirectories("\(directory)/artifacts", mode: 0o711)
        for identifier in content.artifacts {
            guard Files.isDirectory("\(home.artifacts)/\(identifier)") else {
                summary.notices.append("artifact \(identifier) is not there")
                continue
            }
            try Copy.tree("\(home.artifacts)/\(identifier)", to: "\(directory)/artifacts/\(identifier)")
            summary.artifacts += 1
        }
        try Files.makeDirectories("\(directory)/repos")
        for service in content.services {
            let repository = home.repository(service.name)
            if Files.isDirectory(repository) {
                try Copy.repository(repository, to: "\(directory)/repos/\(service.name).git")
            }
            if service.isLocal {
                summary.notices.append(
                    "\(service.repository), of \(service.name), is not kinto's and not in it")
            }
            try copyRecords(of: service.name, to: directory)
        }
        summary.services = content.services.count
        for name in try Files.list(home.path).sorted() where !Self.leftOut.contains(name) {
            try Copy.tree("\(home.path)/\(name)", to: "\(directory)/\(name)")
        }
        try Copy.synchronize(directory)
        let label = Label(kinto: version, createdAt: Timestamp.now.rfc3339, home: home.path)
        try Files.replace("\(directory)/\(Label.name)", with: try JSONEncoder().encode(label))
        return summary
    }

    /// Logs and what else is kept of releases, without the caches.
    private func copyRecords(of service: ServiceName, to directory: String) throws {
        let source = "\(home.path)/services/\(service)"
        for environment in (try? Files.list(source)) ?? [] {
            for name in (try? Files.list("\(source)/\(environment)")) ?? [] where name != "cache" {
                try Files.makeDirectories("\(directory)/services/\(service)/\(environment)")
                try Copy.tree(
                    "\(source)/\(environment)/\(name)",
                    to: "\(directory)/services/\(service)/\(environment)/\(name)")
            }
        }
    }
}

/// Copies by cp(1), which keeps owners, links and times and shares blocks where the file system can.
enum Copy {
    static func tree(_ source: String, to target: String) throws {
        // A file may be replaced while it is copied, a state or a log: then it is copied again.
        for attempt in 1... {
            if try run([source, target]) { return }
            guard attempt == 3 else {
                try Files.removeTree(target)
                continue
            }
            throw Failure(
                code: "backup-failed", "\(source) could not be copied to \(target)",
                hints: [.init("look for room", command: "df -h \(Files.parent(of: target))")])
        }
    }

    /// A repository that may be pushed to meanwhile: first what names commits, then the objects, so that none that is
    /// named is missing. `git gc` may remove under the copy what it has packed anew: then it is copied again.
    static func repository(_ source: String, to target: String) throws {
        for attempt in 1... {
            try Files.removeTree(target)
            try Files.makeDirectories(target)
            let names = try Files.list(source).filter {
                $0 != "objects" && $0 != "refs" && $0 != "packed-refs"
            }
            var isWhole = true
            // Loose references before packed ones: a reference moves from there to here.
            for name in ["refs", "packed-refs"] + names.sorted() + ["objects"]
            where Files.exists("\(source)/\(name)") && !name.hasSuffix(".lock") {
                isWhole = try run(["\(source)/\(name)", "\(target)/\(name)"]) && isWhole
            }
            if isWhole { return }
            guard attempt < 3 else {
                throw Failure(code: "backup-failed", "\(source) could not be copied to \(target)")
            }
        }
    }

    /// Writes out what was copied.
    static func synchronize(_ directory: String) throws {
        guard try run("/bin/sync", ["sync", "-f", directory]) else {
            throw Failure(code: "backup-failed", "\(directory) could not be written to the disk")
        }
    }

    private static func run(_ paths: [String]) throws -> Bool {
        try run("/bin/cp", ["cp", "-aT", "--reflink=auto", "--"] + paths)
    }

    private static func run(_ program: String, _ arguments: [String]) throws -> Bool {
        let error = try Descriptor.open("/dev/null", O_WRONLY)
        let pid = try Spawn(
            path: program, arguments: arguments, environment: ["PATH=/usr/bin:/bin", "LC_ALL=C"],
            standardError: error
        ).start()
        var status: Int32 = 0
        try check("waitpid", program) { waitpid(pid, &status, 0) }
        return status == 0
    }
}
