// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import KintoCore
internal import Wire

/// Where a release is built: its checkout and, when the build runs as a user of its own, a home directory beside it.
struct BuildPlace: Sendable {
    private let home: Home
    let workspace: String
    /// The artifact's ID.
    let artifact: String
    /// nil: the server's.
    private let user: SystemUser?

    private var ownHome: String { "\(workspace).home" }

    init(_ home: Home, _ release: Release, user: SystemUser?) {
        self.home = home
        self.user = user
        workspace = home.workspace(release.target, release.number)
        artifact = "\(release.target.service).\(release.target.environment).\(release.number)"
    }

    /// The service's root in the checkout: where the build command runs.
    func root(_ manifest: Manifest) throws -> String {
        do { return try BuildPlace.directory(manifest.root, in: workspace, key: "root") } catch {
            guard let missing = error as? SystemError, [ENOENT, ENOTDIR].contains(missing.code) else {
                throw error
            }
            throw Failure(
                stage: .build, code: "root-missing",
                "the commit has no directory '\(manifest.root)' (root in kinto.json)",
                evidence: BuildPlace.there(workspace),
                hints: [.init("name a directory of the repository in root, or leave root out")])
        }
    }

    /// What is kept.
    func output(_ manifest: Manifest) throws -> String {
        let (name, place) = (manifest.build.output, try root(manifest))
        let key = manifest.static?.output == "." ? "static.output" : "build.output"
        do { return try BuildPlace.directory(name, in: place, key: key) } catch {
            guard let missing = error as? SystemError, [ENOENT, ENOTDIR].contains(missing.code) else {
                throw error
            }
            let isBuilt = manifest.build.command != nil
            throw Failure(
                stage: .store, code: "output-missing",
                isBuilt
                    ? "the build made no directory '\(name)' (\(key) in kinto.json)"
                    : "the commit has no directory '\(name)' (\(key) in kinto.json), and there is no build.command that makes it",
                evidence: BuildPlace.there(place),
                hints: [
                    .init(
                        isBuilt
                            ? "set \(key) to the directory that the build writes"
                            : "set \(key) to a directory of the repository, or build.command to what makes '\(name)'"
                    )
                ])
        }
    }

    /// What the build may write to.
    var writable: [String] { user == nil ? [workspace] : [workspace, ownHome] }

    /// Gives a fresh checkout to the build's user, who gets through to it and to nothing else. Blocks.
    func prepare() throws {
        guard let user else { return }
        do {
            try Files.removeTree(ownHome)
            try Files.makeDirectories(ownHome)
            try Ownership.give(ownHome, to: user.identity)
            try Ownership.give(workspace, to: user.identity)
            var directory = Files.parent(of: workspace)
            while directory.hasPrefix("\(home.path)/work") {
                try Ownership.letThrough(directory, [user.identity.user])
                directory = Files.parent(of: directory)
            }
        } catch { throw error.failure("Giving the checkout to user \(user.name)") }
    }

    func environment(_ environment: [String]) -> [String] {
        user?.adapt(environment, home: ownHome) ?? environment
    }

    /// Removes all of it. Blocks.
    func remove() throws {
        try Files.removeTree(workspace)
        try Files.removeTree(ownHome)
    }

    /// The directory of the checkout that kinto.json names. Links are followed within the checkout, never out of it:
    /// what is outside is not the repository's to give away.
    private static func directory(_ name: String, in parent: String, key: String) throws -> String {
        do { return try Beneath(parent).path(name) } catch {
            if error.code == EXDEV || error.code == ELOOP {
                throw Failure(
                    stage: key == "root" ? .build : .store, code: "path-outside",
                    "'\(name)' (\(key) in kinto.json) leads out of the checkout through a link",
                    hints: [.init("name a directory of the repository, or copy what the link means into it")])
            }
            throw SystemError(error.operation, "\(parent)/\(name)", code: error.code)
        }
    }

    /// What the directory has, as evidence that something else is not there.
    static func there(_ directory: String) -> [String] {
        let names = ((try? Files.list(directory)) ?? []).filter { $0 != ".git" }.sorted()
        let first = names.prefix(12).map { shown($0.utf8) }.joined(separator: ", ")
        return names.isEmpty ? [] : ["there is: \(first)\(names.count > 12 ? ", …" : "")"]
    }
}
