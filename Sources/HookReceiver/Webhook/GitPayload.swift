// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// A push as GitHub, GitLab, Gitea, Forgejo and Gogs write it. Only what decides is read; lists of commits may be cut short
/// by the sender and say nothing but the newest commit's message.
struct GitPayload: Decodable {
    struct Commit: Decodable {
        let id: Loose<String>?
        let message: Loose<String>?
    }

    let ref, before, after: Loose<String>?
    /// Gogs, of what was created or deleted: `tag` or `branch`, and what it points at; `ref` is its short name then.
    let refType, sha: Loose<String>?
    /// GitLab: the commit, where `after` is the object of an annotated tag; null when the reference was removed.
    let checkoutSha: Loose<String>?
    let deleted, forced: Loose<Bool>?
    /// GitHub, Gitea, Forgejo: the newest commit, also that of a tag.
    let headCommit: Loose<Commit>?
    let commits: Loose<[Loose<Commit>]>?
    /// GitLab: what a hook of the whole instance is about.
    let objectKind, eventName: Loose<String>?

    var event: String { objectKind?.value ?? eventName?.value ?? "" }
    var isPush: Bool { ["push", "tag_push"].contains(event) }

    func change() throws(Failure) -> RefChange {
        let isTag = ref?.value?.hasPrefix("refs/tags/") == true
        let after = after?.value
        var commit = checkoutSha?.value ?? after
        if isTag, checkoutSha?.value == nil, let head = headCommit?.value?.id?.value { commit = head }
        // A removal tells by its zeros even where another field names a commit.
        if let after, !after.isEmpty, after.utf8.allSatisfy({ $0 == 0x30 }) { commit = after }
        return try RefChange.checked(
            ref?.value, commit, isRemoved: deleted?.value == true, isForced: forced?.value == true,
            message: message(of: commit))
    }

    /// A tag that was made or removed; nil: it is of a branch.
    func tag(isRemoved: Bool) throws(Failure) -> RefChange? {
        guard refType?.value == "tag" else {
            guard refType?.value == "branch" else {
                throw Failure(code: "malformed", "the payload has no 'ref_type' of tag or branch")
            }
            return nil
        }
        return try RefChange.checked(
            ref?.value.map { "refs/tags/\($0)" }, sha?.value, isRemoved: isRemoved, isForced: false,
            message: nil)
    }

    private func message(of commit: String?) -> String? {
        if let message = headCommit?.value?.message?.value { return message }
        return commits?.value?.lazy.compactMap(\.value).first { $0.id?.value == commit }?.message?.value
    }
}
