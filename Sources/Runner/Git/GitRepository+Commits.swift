// SPDX-License-Identifier: Apache-2.0
internal import CGit2
internal import Glibc
public import KintoCore
public import Wire

/// What a commit says of itself.
public struct CommitInfo: Sendable, Equatable {
    /// The commit itself.
    public let id: CommitID
    /// The first paragraph of the message in one line, at most 500 characters.
    public let subject: String
    /// As written in the commit, control characters escaped.
    public let authorName: String
    /// When it was written, which the author's clock says.
    public let authoredAt: Timestamp
}

extension GitRepository {
    /// The commit that a name means: a branch, a tag (peeled), a full reference (`refs/…`), 40 hexadecimal
    /// digits or a prefix of at least seven. A branch wins over a tag, both over digits. nil when there is no
    /// such commit.
    /// - Throws: `commit-ambiguous` when a prefix fits several objects.
    public func resolve(_ name: String) throws(Failure) -> CommitID? {
        guard !name.isEmpty, !name.utf8.contains(0), name.utf8.count < 1024 else { return nil }
        for reference in name.hasPrefix("refs/") ? [name] : ["refs/heads/\(name)", "refs/tags/\(name)"] {
            if let commit = try commit(reference: reference) { return commit }
        }
        let digits = name.lowercased()
        guard (7...40).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return nil }
        do throws(GitError) {
            var prefix = git_oid()
            try git("resolve") { git_oid_fromstrn(&prefix, digits, digits.utf8.count) }
            var object: OpaquePointer?
            defer { git_object_free(object) }
            let kind = digits.utf8.count == 40 ? GIT_OBJECT_ANY : GIT_OBJECT_COMMIT
            try git("resolve") { git_object_lookup_prefix(&object, handle, &prefix, digits.utf8.count, kind) }
            return try peel(object)
        } catch {
            switch error.code {
            case GIT_ENOTFOUND.rawValue, GIT_EPEEL.rawValue, GIT_EINVALIDSPEC.rawValue: return nil
            case GIT_EAMBIGUOUS.rawValue:
                throw Failure(
                    code: "commit-ambiguous", "Several objects of the repository begin with \(digits).",
                    hints: [.init("Give more digits of the commit's name.")])
            default: throw error.failure("'\(shown(name.utf8))' could not be looked up in \(path).")
            }
        }
    }

    /// What a commit says of itself.
    /// - Throws: `commit-missing`.
    public func commitInfo(_ commit: CommitID) throws(Failure) -> CommitInfo {
        try withCommit(commit) { pointer in
            let summary = git_commit_summary(pointer).map { String(cString: $0) } ?? ""
            let author = git_commit_author(pointer)?.pointee
            let seconds = author?.when.time ?? 0
            return CommitInfo(
                id: commit, subject: String(shown(summary.utf8).prefix(500)),
                authorName: author?.name.map { shown(String(cString: $0).utf8) } ?? "",
                authoredAt: Timestamp(
                    milliseconds: seconds.multipliedReportingOverflow(by: 1000).overflow ? 0 : seconds * 1000)
            )
        }
    }

    /// Whether the commit is here.
    public func holds(_ commit: CommitID) throws(Failure) -> Bool {
        do throws(Failure) { try withCommit(commit) { _ in } } catch {
            if error.code == "commit-missing" { return false }
            throw error
        }
        return true
    }

    /// Whether `ancestor` is reachable from `descendant`, or the same commit.
    /// - Throws: `commit-missing` when either is not in the repository.
    public func isAncestor(_ ancestor: CommitID, of descendant: CommitID) throws(Failure) -> Bool {
        try withCommit(ancestor) { _ in }
        try withCommit(descendant) { _ in }
        if ancestor == descendant { return true }
        var (a, d) = (ObjectID(ancestor).raw, ObjectID(descendant).raw)
        do throws(GitError) {
            return try git("ancestor") { git_graph_descendant_of(handle, &d, &a) } == 1
        } catch { throw error.failure("The history of \(path) cannot be read.") }
    }

    /// Whether no branch and no tag exists.
    public func isEmpty() throws(Failure) -> Bool {
        try references().allSatisfy { !$0.hasPrefix("refs/heads/") && !$0.hasPrefix("refs/tags/") }
    }

    /// The branch that HEAD names, whether it has commits or not; nil when HEAD names a commit.
    public func defaultBranch() throws(Failure) -> String? {
        var head: OpaquePointer?
        defer { git_reference_free(head) }
        do throws(GitError) { try git("HEAD") { git_reference_lookup(&head, handle, "HEAD") } } catch {
            if error.isNotFound { return nil }
            throw error.failure("HEAD of \(path) cannot be read.")
        }
        guard let target = git_reference_symbolic_target(head).map({ String(cString: $0) }),
            target.hasPrefix("refs/heads/")
        else { return nil }
        return String(target.dropFirst("refs/heads/".count))
    }

    /// Keeps a commit and its history from being removed by a force push and gc, under `refs/kinto/NAME`.
    /// Pinning again moves the pin.
    /// - Throws: `commit-missing`; `git-failed` when `name` cannot be part of a reference's name.
    public func pin(_ commit: CommitID, name: String) throws(Failure) {
        try withCommit(commit) { _ in }
        var id = ObjectID(commit).raw
        var reference: OpaquePointer?
        defer { git_reference_free(reference) }
        func create() throws(GitError) {
            try git("pin") { git_reference_create(&reference, handle, "refs/kinto/\(name)", &id, 1, nil) }
        }
        do throws(GitError) { try create() } catch {
            // Nobody else writes these names, and one server does so at a time: what locks it is dead.
            guard error.code == GIT_ELOCKED.rawValue, unlink("\(directory)/refs/kinto/\(name).lock") == 0
            else {
                throw error.failure("Commit \(commit.short) could not be pinned in \(path).")
            }
            do throws(GitError) { try create() } catch {
                throw error.failure("Commit \(commit.short) could not be pinned in \(path).")
            }
        }
        giveToOwner("refs/kinto/\(name)")
    }

    /// Removes a pin. Nothing happens when there is none.
    public func unpin(_ name: String) throws(Failure) {
        unlink("\(directory)/refs/kinto/\(name).lock")
        do throws(GitError) { try git("unpin") { git_reference_remove(handle, "refs/kinto/\(name)") } } catch
        {
            if !error.isNotFound { throw error.failure("Pin \(name) could not be removed from \(path).") }
        }
    }

    /// The pins that exist, by name, in no order.
    public func pins() throws(Failure) -> [String: CommitID] {
        var result: [String: CommitID] = [:]
        for name in try references() where name.hasPrefix("refs/kinto/") {
            result[String(name.dropFirst("refs/kinto/".count))] = try commit(reference: name)
        }
        return result
    }

    /// The full names of all references, in no order.
    func references() throws(Failure) -> [String] {
        var names = git_strarray()
        do throws(GitError) { try git("references") { git_reference_list(&names, handle) } } catch {
            throw error.failure("The references of \(path) cannot be listed.")
        }
        defer { git_strarray_dispose(&names) }
        return (0..<names.count).compactMap { index in names.strings[index].map { String(cString: $0) } }
    }

    /// The commit of a full reference name; nil when there is none.
    func commit(reference name: String) throws(Failure) -> CommitID? {
        var reference: OpaquePointer?
        defer { git_reference_free(reference) }
        var object: OpaquePointer?
        defer { git_object_free(object) }
        do throws(GitError) {
            try git("reference") { git_reference_lookup(&reference, handle, name) }
            try git("reference") { git_reference_peel(&object, reference, GIT_OBJECT_COMMIT) }
            return git_object_id(object).flatMap { ObjectID($0.pointee).commitID }
        } catch {
            switch error.code {
            case GIT_ENOTFOUND.rawValue, GIT_EINVALIDSPEC.rawValue, GIT_EPEEL.rawValue: return nil
            default: throw error.failure("\(shown(name.utf8)) cannot be read in \(path).")
            }
        }
    }

    func withCommit<R>(_ commit: CommitID, _ body: (OpaquePointer) -> R) throws(Failure) -> R {
        var pointer: OpaquePointer?
        defer { git_commit_free(pointer) }
        var id = ObjectID(commit).raw
        do throws(GitError) { try git("commit") { git_commit_lookup(&pointer, handle, &id) } } catch {
            guard error.isNotFound else {
                throw error.failure("Commit \(commit.short) cannot be read in \(path).")
            }
            throw Failure(
                code: "commit-missing", "Commit \(commit.short) is not in the repository at \(path).")
        }
        guard let pointer else { throw Failure(code: "git-failed", "libgit2 found no commit.") }
        return body(pointer)
    }

    private func peel(_ object: OpaquePointer?) throws(GitError) -> CommitID? {
        var peeled: OpaquePointer?
        defer { git_object_free(peeled) }
        try git("peel") { git_object_peel(&peeled, object, GIT_OBJECT_COMMIT) }
        return git_object_id(peeled).flatMap { ObjectID($0.pointee).commitID }
    }

    /// Root that writes a reference into someone else's repository would keep its owner from packing or
    /// removing it.
    private func giveToOwner(_ reference: String) {
        var status = stat()
        guard geteuid() == 0, stat(directory, &status) == 0, status.st_uid != 0 else { return }
        var partial = directory
        for (index, part) in reference.split(separator: "/").enumerated() {
            partial += (index == 0 ? "" : "/") + part
            if index > 0 { lchown(partial, status.st_uid, status.st_gid) }
        }
    }
}
