// SPDX-License-Identifier: Apache-2.0
internal import CGit2
public import KintoCore
internal import Wire

extension GitRepository {
    /// Commits of `new` that `old` does not contain, newest first.
    /// - Parameters:
    ///   - old: nil: all.
    ///   - limit: how many are given; all are counted, up to 10,000.
    /// - Throws: `commit-missing` when `new` is not in the repository.
    public func commits(since old: CommitID?, to new: CommitID, limit: Int) throws(Failure) -> (
        newest: [CommitInfo], count: Int
    ) {
        try withCommit(new) { _ in }
        var walk: OpaquePointer?
        defer { git_revwalk_free(walk) }
        var ids: [CommitID] = []
        var count = 0
        do throws(GitError) {
            try git("walk") { git_revwalk_new(&walk, handle) }
            try git("walk") { git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL.rawValue) }
            var start = ObjectID(new).raw
            try git("walk") { git_revwalk_push(walk, &start) }
            // One that was collected after a force push hides nothing.
            if let old {
                var end = ObjectID(old).raw
                git_revwalk_hide(walk, &end)
            }
            var next = git_oid()
            while count < 10_000, git_revwalk_next(&next, walk) == 0 {
                count += 1
                if ids.count < limit, let id = ObjectID(next).commitID { ids.append(id) }
            }
        } catch { throw error.failure("The history of \(path) cannot be read.") }
        var newest: [CommitInfo] = []
        for id in ids { newest.append(try commitInfo(id)) }
        return (newest, count)
    }

    /// Whether any file that differs between two commits is one that is asked for: added, removed, changed, or moved to or from.
    /// - Throws: `commit-missing` when either is not in the repository.
    public func differs(_ old: CommitID, _ new: CommitID, in isAskedFor: (String) -> Bool) throws(Failure)
        -> Bool
    {
        let (before, after) = (try rootTree(of: old), try rootTree(of: new))
        var (beforeTree, afterTree): (OpaquePointer?, OpaquePointer?)
        var diff: OpaquePointer?
        defer {
            git_diff_free(diff)
            git_tree_free(beforeTree)
            git_tree_free(afterTree)
        }
        do throws(GitError) {
            var (beforeID, afterID) = (before.raw, after.raw)
            try git("tree") { git_tree_lookup(&beforeTree, handle, &beforeID) }
            try git("tree") { git_tree_lookup(&afterTree, handle, &afterID) }
            try git("diff") { git_diff_tree_to_tree(&diff, handle, beforeTree, afterTree, nil) }
        } catch {
            throw error.failure(
                "What changed between \(old.short) and \(new.short) cannot be read in \(path).")
        }
        for index in 0..<git_diff_num_deltas(diff) {
            guard let delta = git_diff_get_delta(diff, index)?.pointee else { continue }
            for file in [delta.old_file, delta.new_file] {
                if let name = file.path, isAskedFor(String(cString: name)) { return true }
            }
        }
        return false
    }
}
