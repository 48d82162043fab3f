// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// `repo:push` of bitbucket.org: several changes, each with what was (`old`) and what is (`new`), null when there is none.
struct BitbucketPayload: Decodable {
    struct Push: Decodable { let changes: Loose<[Loose<Change>]>? }
    struct Change: Decodable {
        let new, old: Loose<Reference>?
        let forced: Loose<Bool>?
    }
    struct Reference: Decodable {
        let type, name: Loose<String>?
        let target: Loose<Commit>?
    }
    struct Commit: Decodable { let hash, message: Loose<String>? }

    let push: Loose<Push>?

    func changes() throws(Failure) -> [RefChange] {
        guard let list = push?.value?.changes?.value else {
            throw Failure(code: "malformed", "the payload has no 'push.changes'")
        }
        var found: [RefChange] = []
        for item in list {
            guard let change = item.value else {
                throw Failure(code: "malformed", "one of 'push.changes' is not an object")
            }
            let new = change.new?.value
            guard let reference = new ?? change.old?.value, let name = reference.name?.value else {
                throw Failure(code: "malformed", "one of 'push.changes' names neither 'new' nor 'old'")
            }
            let folder: String
            switch reference.type?.value {
            case "branch", "named_branch": folder = "refs/heads/"
            case "tag", "annotated_tag": folder = "refs/tags/"
            default: continue
            }
            found.append(
                try RefChange.checked(
                    folder + name, new?.target?.value?.hash?.value, isRemoved: new == nil,
                    isForced: change.forced?.value == true, message: new?.target?.value?.message?.value))
        }
        return found
    }
}

/// `repo:refs_changed` of Bitbucket Server and Data Center.
struct BitbucketServerPayload: Decodable {
    struct Change: Decodable {
        let ref: Loose<Reference>?
        let refId, toHash, type: Loose<String>?
    }
    struct Reference: Decodable { let id: Loose<String>? }
    struct Commit: Decodable { let id, message: Loose<String>? }

    let changes: Loose<[Loose<Change>]>?
    /// Data Center: the newest commit of the first change.
    let toCommit: Loose<Commit>?
    /// The button that tests a connection sends this alone.
    let test: Loose<Bool>?

    var isTest: Bool { test?.value == true && changes?.value == nil }

    func refChanges() throws(Failure) -> [RefChange] {
        guard let list = changes?.value else {
            throw Failure(code: "malformed", "the payload has no 'changes'")
        }
        var found: [RefChange] = []
        for item in list {
            guard let change = item.value else {
                throw Failure(code: "malformed", "one of 'changes' is not an object")
            }
            let hash = change.toHash?.value
            let newest = toCommit?.value
            found.append(
                try RefChange.checked(
                    change.ref?.value?.id?.value ?? change.refId?.value, hash,
                    isRemoved: change.type?.value == "DELETE", isForced: false,
                    message: newest?.id?.value == hash ? newest?.message?.value : nil))
        }
        return found
    }
}
