// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
public import KintoCore
internal import Runner
internal import Wire

/// Makes a home of a backup. The home appears whole or not at all.
public struct HomeRestore: Sendable {
    let backup: String
    let runtime: String

    /// - Parameter runtime: path of `kinto-runtime`, which the hooks run.
    public init(_ backup: String, runtime: String) {
        self.backup = backup
        self.runtime = runtime
    }

    /// - Throws: `Failure` of code `home-not-empty`, `backup-incomplete`, `backup-failed`, or that of a database that
    ///   cannot be used.
    public func restore(to home: Home) async throws -> HomeBackup.Summary {
        umask(0o077)
        guard !Files.exists(home.path) || (try? Files.list(home.path))?.isEmpty == true else {
            throw Failure(
                code: "home-not-empty",
                "\(home.path) is not empty; a backup is restored into a new home only",
                hints: [
                    .init("name another one", command: "kinto restore \(backup) --home NEW"),
                    .init(
                        "or move this one away, with its server stopped",
                        command: "mv \(home.path) \(home.path).old"),
                ])
        }
        guard let label = try? Files.read("\(backup)/\(HomeBackup.Label.name)", limit: 64 << 10),
            let read = try? JSONDecoder().decode(HomeBackup.Label.self, from: Data(label)), read.format == 1
        else {
            throw Failure(
                code: "backup-incomplete",
                "\(backup) is no whole backup of kinto: \(HomeBackup.Label.name) is missing or of another version"
            )
        }
        let staging = "\(home.path).restoring-\(getpid())"
        do {
            try Files.makeDirectories(Files.parent(of: home.path))
            try Copy.tree(backup, to: staging)
            let summary = try await settle(Home(staging), as: home)
            try Copy.synchronize(staging)
            try check("rename", home.path) { rename(staging, home.path) }
            try Files.synchronizeDirectory(Files.parent(of: home.path))
            return summary
        } catch {
            try? Files.removeTree(staging)
            if let failure = error as? Failure { throw failure }
            throw Failure(code: "backup-failed", "\(home.path) could not be written: \(error)")
        }
    }

    /// Checks what was copied and gives it the new home's paths.
    private func settle(_ copy: Home, as home: Home) async throws -> HomeBackup.Summary {
        var summary = HomeBackup.Summary()
        try Files.removeTree("\(copy.path)/\(HomeBackup.Label.name)")
        try copy.prepare()
        let store = try Store(path: copy.database, signs: [copy.path])
        let artifacts = try ArtifactStore(root: copy.artifacts)
        for (identifier, recorded) in try await store.artifactsOnRecord() {
            do {
                try artifacts.verify(
                    Artifact(
                        id: identifier, sha256: recorded.sha256, bytes: Int(recorded.bytes), files: 0,
                        path: artifacts.tree(identifier)), hashAll: true)
                summary.artifacts += 1
            } catch {
                try await store.artifactIsGone(identifier)
                summary.notices.append("\(error): its releases cannot be started or come back; deploy again")
            }
        }
        try await store.moveRepositories(to: home)
        for service in try await store.services() {
            summary.services += 1
            // Of pushes that were under way when it was copied.
            RepositoryLocks.remove(from: copy.repository(service.name))
            switch service.source {
            case .hosted:
                try HookScripts.install(
                    in: copy.repository(service.name), service: service.name, home: home, runtime: runtime)
            case .local:
                summary.notices.append(
                    "the hooks in \(service.repository), of \(service.name), still tell the old home")
            case .remote: break
            }
        }
        try store.close()
        return summary
    }
}
