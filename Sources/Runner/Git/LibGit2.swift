// SPDX-License-Identifier: Apache-2.0
internal import CGit2
internal import KintoCore
internal import Wire

/// The library as a whole: its start and its way of telling errors.
enum LibGit2 {
    private static let started: Int32 = {
        let count = git_libgit2_init()
        guard count > 0 else { return count }
        // No configuration of a user or of the system has any influence.
        for level in [
            GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
            GIT_CONFIG_LEVEL_GLOBAL,
        ] {
            _ = kinto_git_opts_search_path(level.rawValue, "")
        }
        func set(_ option: git_libgit2_opt_t, _ value: Int32) {
            _ = kinto_git_opts_int(Int32(bitPattern: option.rawValue), value)
        }
        // GitRepository.open checks the owner itself: the library's own check answers "not found" instead of
        // naming the owner, and knows nothing of repositories that the operator registered.
        set(GIT_OPT_SET_OWNER_VALIDATION, 0)
        // Packs were hashed when they were received. Hashing every object again costs a third of a checkout;
        // git does not do it either, and zlib's checksum still finds damage.
        set(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0)
        // What is fetched and pinned survives a power cut.
        set(GIT_OPT_ENABLE_FSYNC_GITDIR, 1)
        LibGit2.set(GIT_OPT_SET_MWINDOW_FILE_LIMIT, size: 64)
        _ = kinto_git_opts_ssize(Int32(bitPattern: GIT_OPT_SET_CACHE_MAX_SIZE.rawValue), 64 << 20)
        return count
    }()

    private static func set(_ option: git_libgit2_opt_t, size: Int) {
        _ = kinto_git_opts_size(Int32(bitPattern: option.rawValue), size)
    }

    /// What a pack may hold that this process receives.
    static func bound(objects: Int) throws(Failure) {
        try start()
        set(GIT_OPT_SET_PACK_MAX_OBJECTS, size: objects)
    }

    /// Initialises the library once per process (5 to 19 ms); later calls cost nothing.
    static func start() throws(Failure) {
        guard started > 0 else {
            throw Failure(code: "git-failed", "libgit2 could not be started (\(started)).")
        }
    }
}

/// A call of libgit2 that failed. Its message is per thread and must be read directly after the call, in the
/// same synchronous function, which `git` does.
struct GitError: Error {
    let operation: String
    let code: Int32
    let category: Int32
    let message: String

    init(_ operation: String, code: Int32) {
        self.operation = operation
        self.code = code
        if let last = git_error_last() {
            category = last.pointee.klass
            message = last.pointee.message.map { String(cString: $0) } ?? ""
        } else {
            category = 0
            message = ""
        }
    }

    var isNotFound: Bool { code == GIT_ENOTFOUND.rawValue }

    /// As a failure of code `git-failed`, or of `disk-full`.
    func failure(_ text: String) -> Failure { failure("git-failed", text) }

    /// As a failure of the given code, or of `disk-full` when that is what it was.
    func failure(_ failureCode: String, _ text: String) -> Failure {
        let reason = message.isEmpty ? "libgit2 error \(code)" : message
        if message.contains("No space left") || message.contains("quota exceeded") {
            return Failure(
                code: "disk-full", "\(text) The disk is full.", evidence: ["\(operation): \(reason)"],
                hints: [.init("Free some space, then deploy again.", command: "df -h")])
        }
        if message.contains("Input/output error") || message.contains("Read-only file system") {
            return Failure(
                code: "file-system", "\(text) The disk failed.", evidence: ["\(operation): \(reason)"],
                hints: [.init("look at the disk", command: "dmesg -T | tail")])
        }
        if message.contains("Cannot allocate memory") {
            return Failure(
                code: "no-processes", "\(text) The host has no more memory to give.",
                evidence: ["\(operation): \(reason)"],
                hints: [
                    .init("see what uses it", command: "ps -eo user,pid,rss,args --sort -rss | head")
                ])
        }
        if message.contains("Too many open files") {
            return Failure(
                code: "too-many-files", "\(text) No more files can be opened.",
                evidence: ["\(operation): \(reason)"],
                hints: [.init("raise the limit of the server", command: "ulimit -n 65536")])
        }
        return Failure(code: failureCode, text, evidence: ["\(operation): \(reason)"])
    }
}

/// Calls libgit2 and turns a negative answer into an error.
@discardableResult
func git(_ operation: String, _ body: () -> Int32) throws(GitError) -> Int32 {
    git_error_clear()
    let code = body()
    if code < 0 { throw GitError(operation, code: code) }
    return code
}

extension SystemError {
    /// In the words of a failed deploy: `disk-full` when the disk or a quota is full, else `file-system`.
    func failure(_ doing: String) -> Failure {
        if code == 28 || code == 122 {  // ENOSPC, EDQUOT
            return Failure(
                code: "disk-full", "The disk is full: \(doing) stopped at \(subject).",
                evidence: [description],
                hints: [.init("Free some space, then deploy again.", command: "df -h")])
        }
        if code == 24 || code == 23 {  // EMFILE, ENFILE
            return Failure(
                code: "too-many-files", "No more files can be opened: \(doing) stopped at \(subject).",
                evidence: [description],
                hints: [.init("raise the limit of the server", command: "ulimit -n 65536")])
        }
        return Failure(code: "file-system", "\(doing) failed: \(description).")
    }
}
