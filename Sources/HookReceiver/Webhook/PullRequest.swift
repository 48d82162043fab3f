// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// A pull request as all forges tell of it, as far as it decides. Read from a body whose signature was checked; that its commit is
/// there is proved by fetching it from the service's own repository, and from no other: a fork's by the reference that the forge
/// has for it there.
struct PullRequest: Equatable {
    /// What became of it.
    enum Step: Equatable {
        /// It is open, with a commit that may be new.
        case open
        /// Merged or not.
        case closed
        /// Nothing that its code has to do with.
        case other(String)
    }

    let number: Int
    let step: Step
    /// The branch that is to be merged, as the forge calls it.
    let branch: String?
    let commit: String?
    /// Its repository and the one that it is to be merged into, each by what tells it from all others. nil: it is gone, or not
    /// said.
    let source, target: String?
    /// For people.
    let sourceName: String?

    /// Where it is from, unless from a branch of the repository itself.
    private var stranger: String? {
        // What is not known to be the repository's own is a stranger's.
        guard let source, source == target else {
            return "from a fork" + (sourceName.map { " (\(RefChange.shown($0)))" } ?? "")
        }
        // Gitea and Forgejo: by AGit anybody who may read makes one, without a branch, and it counts as the repository's.
        guard let branch, !branch.isEmpty, !branch.hasPrefix("refs/") else {
            return "of no branch of the repository"
        }
        return nil
    }

    /// Why it deploys nothing, whatever the service's settings are.
    func obstacle(_ provider: Provider) -> String? {
        let subject = "pull request \(number)"
        if case .other(let what) = step {
            return "\(subject): '\(RefChange.shown(what))' deploys nothing"
        }
        guard let stranger, PullReference.full(number, provider) == nil else { return nil }
        return
            "\(subject) is \(stranger), and \(provider.title) has no reference in the repository to fetch it by"
    }

    /// - Throws: `Failure` of code `malformed`.
    func change(_ provider: Provider) throws(Failure) -> RefChange {
        let own = branch.map { "refs/heads/\($0)" }
        // Some tell the commit by a part of its name: then its form alone is checked, and the branch's tip is meant.
        var change = try RefChange.checked(
            stranger == nil ? own : PullReference.full(number, provider),
            String(repeating: "1", count: 40), isRemoved: step == .closed, isForced: false, message: nil)
        change.commit = change.isRemoved ? nil : commit.flatMap { CommitID($0) }
        change.pullRequest = number
        change.stranger = stranger
        return change
    }

    /// - Throws: `Failure` of code `malformed`.
    static func read(_ text: [UInt8], _ provider: Provider, event: String) throws(Failure) -> PullRequest {
        let found: PullRequest? =
            switch provider {
            case .github, .gitea, .forgejo, .gogs: try PullRequestPayload.decode(text).request
            case .gitlab: try MergeRequestPayload.decode(text).request
            case .bitbucket:
                try BitbucketPullRequestPayload.decode(text).request(step(of: event, provider))
            case .bitbucketServer:
                try BitbucketServerPullRequestPayload.decode(text).request(step(of: event, provider))
            case .generic: nil
            }
        guard let found, found.number > 0 else {
            throw Failure(code: "malformed", "the payload has no pull request with a number")
        }
        return found
    }

    /// Of those that say it by the event's name; nil: it is of no pull request itself.
    static func step(of event: String, _ provider: Provider) -> Step? {
        switch (provider, event) {
        case (.bitbucket, "pullrequest:created"), (.bitbucket, "pullrequest:updated"): .open
        case (.bitbucket, "pullrequest:fulfilled"), (.bitbucket, "pullrequest:rejected"): .closed
        case (.bitbucketServer, "pr:opened"), (.bitbucketServer, "pr:reopened"),
            (.bitbucketServer, "pr:from_ref_updated"):
            .open
        case (.bitbucketServer, "pr:merged"), (.bitbucketServer, "pr:declined"),
            (.bitbucketServer, "pr:deleted"):
            .closed
        default: nil
        }
    }
}
