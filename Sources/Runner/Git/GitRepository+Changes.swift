// SPDX-License-Identifier: Apache-2.0
internal import CGit2
public import KintoCore
internal import Wire

extension GitRepository {
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
