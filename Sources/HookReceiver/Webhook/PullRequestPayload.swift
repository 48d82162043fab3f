// SPDX-License-Identifier: Apache-2.0

/// `pull_request` as GitHub, Gitea, Forgejo and Gogs write it.
struct PullRequestPayload: Decodable {
    struct Request: Decodable {
        let number: Loose<Int>?
        let head, base: Loose<Side>?
        /// Gogs, which has neither `head` nor `base`.
        let headBranch: Loose<String>?
        let headRepo, baseRepo: Loose<Repository>?
    }
    struct Side: Decodable {
        let ref, sha: Loose<String>?
        /// null when it was deleted.
        let repo: Loose<Repository>?
    }
    struct Repository: Decodable {
        let id: Loose<Int>?
        let fullName: Loose<String>?
    }

    let action: Loose<String>?
    let number: Loose<Int>?
    let pullRequest: Loose<Request>?

    var request: PullRequest? {
        guard let request = pullRequest?.value, let number = number?.value ?? request.number?.value else {
            return nil
        }
        let step: PullRequest.Step =
            switch action?.value ?? "" {
            // GitHub says synchronize, the others synchronized.
            case "opened", "reopened", "synchronize", "synchronized": .open
            case "closed": .closed
            case let other: .other(other)
            }
        let source = request.head?.value?.repo?.value ?? request.headRepo?.value
        let target = request.base?.value?.repo?.value ?? request.baseRepo?.value
        return PullRequest(
            number: number, step: step, branch: request.head?.value?.ref?.value ?? request.headBranch?.value,
            commit: request.head?.value?.sha?.value, source: source?.id?.value.map { "\($0)" },
            target: target?.id?.value.map { "\($0)" }, sourceName: source?.fullName?.value)
    }
}

/// GitLab's merge requests.
struct MergeRequestPayload: Decodable {
    struct Attributes: Decodable {
        let iid: Loose<Int>?
        let action, oldrev, sourceBranch: Loose<String>?
        /// null when it was deleted.
        let sourceProjectId, targetProjectId: Loose<Int>?
        let lastCommit: Loose<GitPayload.Commit>?
        let source: Loose<Project>?
    }
    struct Project: Decodable { let pathWithNamespace: Loose<String>? }

    let objectAttributes: Loose<Attributes>?

    var request: PullRequest? {
        guard let request = objectAttributes?.value, let number = request.iid?.value else { return nil }
        let step: PullRequest.Step =
            switch request.action?.value ?? "" {
            case "open", "reopen": .open
            // Only new commits have an old one.
            case "update" where request.oldrev?.value != nil: .open
            case "close", "merge": .closed
            case let other: .other(other)
            }
        return PullRequest(
            number: number, step: step, branch: request.sourceBranch?.value,
            commit: request.lastCommit?.value?.id?.value,
            source: request.sourceProjectId?.value.map { "\($0)" },
            target: request.targetProjectId?.value.map { "\($0)" },
            sourceName: request.source?.value?.pathWithNamespace?.value)
    }
}

/// `pullrequest:…` of bitbucket.org. Its commits are twelve digits.
struct BitbucketPullRequestPayload: Decodable {
    struct Request: Decodable {
        let id: Loose<Int>?
        let source, destination: Loose<Side>?
    }
    struct Side: Decodable {
        let branch: Loose<Branch>?
        let commit: Loose<BitbucketPayload.Commit>?
        /// null when it was deleted.
        let repository: Loose<Repository>?
    }
    struct Branch: Decodable { let name: Loose<String>? }
    struct Repository: Decodable { let uuid, fullName: Loose<String>? }

    let pullrequest: Loose<Request>?

    func request(_ step: PullRequest.Step?) -> PullRequest? {
        guard let request = pullrequest?.value, let number = request.id?.value, let step else { return nil }
        let source = request.source?.value
        return PullRequest(
            number: number, step: step, branch: source?.branch?.value?.name?.value,
            commit: source?.commit?.value?.hash?.value, source: source?.repository?.value?.uuid?.value,
            target: request.destination?.value?.repository?.value?.uuid?.value,
            sourceName: source?.repository?.value?.fullName?.value)
    }
}

/// `pr:…` of Bitbucket Server and Data Center.
struct BitbucketServerPullRequestPayload: Decodable {
    struct Request: Decodable {
        let id: Loose<Int>?
        let fromRef, toRef: Loose<Side>?
    }
    struct Side: Decodable {
        /// In full.
        let id, latestCommit: Loose<String>?
        let repository: Loose<Repository>?
    }
    struct Repository: Decodable {
        let id: Loose<Int>?
        let slug: Loose<String>?
        let project: Loose<Project>?
    }
    struct Project: Decodable { let key: Loose<String>? }

    let pullRequest: Loose<Request>?

    func request(_ step: PullRequest.Step?) -> PullRequest? {
        guard let request = pullRequest?.value, let number = request.id?.value, let step else { return nil }
        let (source, target) = (request.fromRef?.value, request.toRef?.value?.repository?.value)
        var branch = source?.id?.value
        if let full = branch, full.hasPrefix("refs/heads/") {
            branch = String(full.dropFirst("refs/heads/".count))
        }
        let repository = source?.repository?.value
        let name = repository?.slug?.value.map { "\(repository?.project?.value?.key?.value ?? "")/\($0)" }
        return PullRequest(
            number: number, step: step, branch: branch, commit: source?.latestCommit?.value,
            source: repository?.id?.value.map { "\($0)" }, target: target?.id?.value.map { "\($0)" },
            sourceName: name)
    }
}
