// SPDX-License-Identifier: Apache-2.0
internal import CGit2
internal import Glibc
public import KintoCore
internal import Wire

/// A git repository on this host, read where it is. Not Sendable: open it on the thread that uses it (0.3
/// ms), which is what the closures given to `GitExecutor.run` do. The only owner of libgit2 objects besides
/// the fetch.
///
/// A failing call throws `Failure`: `repository-missing`, `repository-owner`, `repository-unreadable`,
/// `commit-missing`, `commit-ambiguous`, `object-missing`, `git-failed`, `disk-full`.
public final class GitRepository {
    /// Where it is, as given.
    public let path: String
    let handle: OpaquePointer
    let objects: OpaquePointer

    /// Who may own a repository for it to be read.
    public enum Trust: Sendable {
        /// This process's user or root.
        case ownUser
        /// Anyone: the operator registered this very path.
        case registered
    }

    /// Opens a repository, bare or not.
    /// - Parameters:
    ///   - path: absolute path of the repository's directory; parents are not searched.
    ///   - trust: whose repositories are accepted.
    ///   - quarantine: the directory of objects that a push has sent and git has not accepted yet
    ///     (GIT_QUARANTINE_PATH of a pre-receive hook). It must lie below the repository's own objects
    ///     directory.
    /// - Throws: `repository-missing`, `repository-owner`, `repository-unreadable`, `quarantine-outside`.
    public init(
        opening path: String, trust: Trust = .ownUser, quarantine: String? = nil
    ) throws(Failure) {
        try LibGit2.start()
        try GitRepository.checkOwner(path, trust: trust)
        var repository: OpaquePointer?
        do throws(GitError) {
            try git("open") {
                git_repository_open_ext(&repository, path, GIT_REPOSITORY_OPEN_NO_SEARCH.rawValue, nil)
            }
        } catch {
            if error.isNotFound {
                throw Failure(code: "repository-missing", "There is no git repository at \(path).")
            }
            throw error.failure("repository-unreadable", "The git repository at \(path) cannot be opened.")
        }
        guard let repository else { throw Failure(code: "git-failed", "libgit2 opened nothing.") }
        var odb: OpaquePointer?
        do throws(GitError) { try git("objects") { git_repository_odb(&odb, repository) } } catch {
            git_repository_free(repository)
            throw error.failure(
                "repository-unreadable", "The objects of the repository at \(path) cannot be read.")
        }
        guard let odb else {
            git_repository_free(repository)
            throw Failure(code: "git-failed", "libgit2 opened no object database.")
        }
        self.path = path
        handle = repository
        objects = odb
        // From here on deinit frees both.
        if let quarantine { try addQuarantine(quarantine) }
    }

    deinit {
        git_odb_free(objects)
        git_repository_free(handle)
    }

    /// Makes a new bare repository that checks every object it is sent and accepts push options; HEAD is
    /// `main`. It is there whole or not at all; one that was begun in its place, and has no HEAD, is brought to its end.
    /// - Throws: `repository-exists` when there is one already.
    public static func createBare(_ path: String) throws(Failure) {
        guard !Files.exists(path) else {
            if !Files.exists("\(path)/HEAD") { unlink("\(path)/config.lock") }
            return try fillBare(path)
        }
        let making = "\(path).making-\(UInt32.random(in: 0 ... .max))"
        sweepMaking(path)
        try fillBare(making)
        guard rename(making, path) != 0 else { return }
        let error = SystemError.last("rename", path)
        try? Files.removeTree(making)
        guard ![EEXIST, ENOTEMPTY].contains(error.code) else { throw exists(path) }
        throw error.failure("A repository could not be made")
    }

    /// Those of processes that died long ago.
    private static func sweepMaking(_ path: String) {
        let parent = Files.parent(of: path)
        for name in (try? Files.list(parent)) ?? [] where "\(parent)/\(name)".hasPrefix("\(path).making-") {
            var status = stat()
            guard lstat("\(parent)/\(name)", &status) == 0, time(nil) - status.st_mtim.tv_sec > 3600 else {
                continue
            }
            try? Files.removeTree("\(parent)/\(name)")
        }
    }

    private static func exists(_ path: String) -> Failure {
        Failure(code: "repository-exists", "There is a git repository at \(path) already.")
    }

    private static func fillBare(_ path: String) throws(Failure) {
        try LibGit2.start()
        var options = git_repository_init_options()
        git_repository_init_options_init(&options, UInt32(GIT_REPOSITORY_INIT_OPTIONS_VERSION))
        options.flags =
            GIT_REPOSITORY_INIT_BARE.rawValue | GIT_REPOSITORY_INIT_MKPATH.rawValue
            | GIT_REPOSITORY_INIT_MKDIR.rawValue | GIT_REPOSITORY_INIT_NO_REINIT.rawValue
        var repository: OpaquePointer?
        defer { git_repository_free(repository) }
        do throws(GitError) {
            try git("init") {
                "main".withCString { head in
                    options.initial_head = head
                    return git_repository_init_ext(&repository, path, &options)
                }
            }
            var config: OpaquePointer?
            try git("config") { git_repository_config(&config, repository) }
            defer { git_config_free(config) }
            for name in ["receive.fsckObjects", "receive.advertisePushOptions"] {
                try git("config") { git_config_set_bool(config, name, 1) }
            }
            // A push is answered for: what it sent has to be on the disk by then. git leaves that to the file system.
            try git("config") { git_config_set_string(config, "core.fsync", "all") }
            // Deleting the branch that deploys is allowed and changes nothing that runs: git would refuse it for HEAD.
            try git("config") { git_config_set_string(config, "receive.denyDeleteCurrent", "ignore") }
        } catch {
            if error.code == GIT_EEXISTS.rawValue {
                throw exists(path)
            }
            throw error.failure("A repository could not be made at \(path).")
        }
    }

    /// The repository's directory itself (with `.git` for one with a work tree), ended by a slash.
    public var directory: String { git_repository_path(handle).map { String(cString: $0) } ?? path }

    private static func checkOwner(_ path: String, trust: Trust) throws(Failure) {
        var status = stat()
        guard path.hasPrefix("/"), !path.utf8.contains(0), stat(path, &status) == 0 else {
            throw Failure(
                code: "repository-missing", "There is no git repository at \(shown(path.utf8)).",
                hints: path.hasPrefix("/") ? [] : [.init("Give an absolute path.")])
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw Failure(code: "repository-missing", "\(path) is not a directory, so no git repository.")
        }
        guard trust != .registered else { return }
        var inner = stat()
        let owners = stat("\(path)/.git", &inner) == 0 ? [status.st_uid, inner.st_uid] : [status.st_uid]
        for owner in owners where owner != geteuid() && owner != 0 {
            throw Failure(
                code: "repository-owner",
                "The repository at \(path) belongs to user \(owner), but kinto runs as user \(geteuid()), "
                    + "so it does not trust it.",
                hints: [.init("Give the repository to kinto's user, or register this path with kinto.")])
        }
    }

    /// Resolves links, so that a comparison of prefixes means what it says.
    private static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private func addQuarantine(_ quarantine: String) throws(Failure) {
        guard let own = GitRepository.realPath(directory + "objects"),
            let given = GitRepository.realPath(quarantine), given.hasPrefix(own + "/"),
            Files.isDirectory(given)
        else {
            throw Failure(
                code: "quarantine-outside",
                "\(shown(quarantine.utf8)) is not a quarantine directory of the repository at \(path).")
        }
        do throws(GitError) { try git("quarantine") { git_odb_add_disk_alternate(objects, given) } } catch {
            throw error.failure("The objects of the push cannot be read.")
        }
    }
}
