// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// A push as anybody may write it: `{"ref": "refs/heads/main", "commit": "…"}`. All of it may be left out: then the branch
/// that is deployed is meant, as it is now.
struct GenericPayload: Decodable {
    private enum Keys: String, CodingKey {
        case ref, branch, after, commit, sha, deleted, forced, message, headCommit
    }

    let ref, branch: Loose<String>?
    /// Also when it is null, which is no branch and not "whichever".
    let saysWhere: Bool
    let after, commit, sha: Loose<String>?
    let deleted, forced: Loose<Bool>?
    let message: Loose<String>?
    let headCommit: Loose<GitPayload.Commit>?

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        saysWhere = container.contains(.ref) || container.contains(.branch)
        ref = try container.decodeIfPresent(Loose<String>.self, forKey: .ref)
        branch = try container.decodeIfPresent(Loose<String>.self, forKey: .branch)
        after = try container.decodeIfPresent(Loose<String>.self, forKey: .after)
        commit = try container.decodeIfPresent(Loose<String>.self, forKey: .commit)
        sha = try container.decodeIfPresent(Loose<String>.self, forKey: .sha)
        deleted = try container.decodeIfPresent(Loose<Bool>.self, forKey: .deleted)
        forced = try container.decodeIfPresent(Loose<Bool>.self, forKey: .forced)
        message = try container.decodeIfPresent(Loose<String>.self, forKey: .message)
        headCommit = try container.decodeIfPresent(Loose<GitPayload.Commit>.self, forKey: .headCommit)
    }

    func change() throws(Failure) -> RefChange {
        let commit = after?.value ?? commit?.value ?? sha?.value
        var reference = ref?.value ?? branch?.value
        if saysWhere, reference == nil {
            throw Failure(code: "malformed", "'ref' and 'branch' are texts")
        }
        guard let named = reference, !named.isEmpty else {
            guard let commit else { return .tracked }
            guard let parsed = CommitID(commit), !parsed.isZero else {
                throw Failure(code: "malformed", "the payload's commit is none, and it names no branch")
            }
            return RefChange(reference: "", commit: parsed)
        }
        // A 'ref' is written as everywhere else, a 'branch' is one whatever its name.
        if !named.hasPrefix("refs/") {
            reference = ref?.value == nil ? "refs/heads/\(named)" : RefName.full(named)
        }
        if commit == nil, deleted?.value != true {
            // Its form is checked with some commit that is none.
            var change = try RefChange.checked(
                reference, String(repeating: "1", count: 40), isRemoved: false,
                isForced: forced?.value == true, message: headCommit?.value?.message?.value ?? message?.value)
            change.commit = nil
            return change
        }
        return try RefChange.checked(
            reference, commit, isRemoved: deleted?.value == true, isForced: forced?.value == true,
            message: headCommit?.value?.message?.value ?? message?.value)
    }
}
