// SPDX-License-Identifier: Apache-2.0

/// Who sends a service's webhooks: fixed by the operator, never taken from what a sender says of itself.
public enum Provider: String, Sendable, Codable, CaseIterable {
    /// github.com and GitHub Enterprise.
    case github
    case gitlab
    case gitea
    case forgejo
    case gogs
    /// bitbucket.org.
    case bitbucket
    /// Bitbucket Server and Data Center.
    case bitbucketServer = "bitbucket-server"
    /// Anything that can sign a body, or send a bearer token, and name a branch.
    case generic

    /// What an address says of who is behind it. What kinto hosts itself has no forge: its webhooks are GitHub's, which most
    /// tools can imitate.
    /// - Parameter host: the host of the repository's address, empty for a path.
    public init(guessing host: String, path: String = "") {
        let host = host.lowercased()
        let labels = host.split(separator: ".").map(String.init)
        if host.isEmpty || host == "github.com" || labels.contains("github") {
            self = .github
        } else if host == "bitbucket.org" {
            self = .bitbucket
        } else if labels.contains("bitbucket") || path.hasPrefix("/scm/") || path.hasPrefix("scm/") {
            self = .bitbucketServer
        } else if host == "gitlab.com" || labels.contains("gitlab") {
            self = .gitlab
        } else if host == "codeberg.org" || labels.contains("forgejo") {
            self = .forgejo
        } else if labels.contains("gitea") {
            self = .gitea
        } else if labels.contains("gogs") {
            self = .gogs
        } else {
            self = .generic
        }
    }

    /// All of them, as a person reads it: `github, gitlab, …`.
    public static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// As people call it.
    public var title: String {
        switch self {
        case .github: "GitHub"
        case .gitlab: "GitLab"
        case .gitea: "Gitea"
        case .forgejo: "Forgejo"
        case .gogs: "Gogs"
        case .bitbucket: "Bitbucket"
        case .bitbucketServer: "Bitbucket Server"
        case .generic: "the sender"
        }
    }
}
