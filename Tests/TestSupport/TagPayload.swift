// SPDX-License-Identifier: Apache-2.0

/// What forges send when a tag is pushed or removed, by their documentation and sources: of an annotated tag some name its
/// object, some its commit, and some both.
public struct TagPayload: Sendable {
    public let provider: String
    /// The header that names the event, and its value.
    public let event: (name: String, value: String)
    public let body: String
    /// Whether it names the commit of an annotated tag.
    public let namesCommit: Bool

    private static let zero = String(repeating: "0", count: 40)

    /// One of each forge.
    /// - Parameters:
    ///   - tag: without `refs/tags/`.
    ///   - object: of the tag, or its commit.
    public static func pushed(_ tag: String, object: String, commit: String) -> [TagPayload] {
        let repository =
            #""repository":{"full_name":"team/repo","clone_url":"https://forge.example.com/team/repo.git"}"#
        let head = #"{"id":"\#(commit)","message":"one","timestamp":"2026-11-26T10:00:00Z"}"#
        func gitea(_ provider: String, _ header: String) -> TagPayload {
            TagPayload(
                provider: provider, event: (header, "push"),
                body: #"""
                    {"ref":"refs/tags/\#(tag)","before":"\#(zero)","after":"\#(object)","compare_url":"","commits":null,
                     "total_commits":0,"head_commit":\#(head),\#(repository),"pusher":{"login":"dev"},"sender":{"login":"dev"}}
                    """#, namesCommit: true)
        }
        return [
            TagPayload(
                provider: "github", event: ("X-GitHub-Event", "push"),
                body: #"""
                    {"ref":"refs/tags/\#(tag)","before":"\#(zero)","after":"\#(object)","created":true,"deleted":false,
                     "forced":false,"base_ref":"refs/heads/main","commits":[],"head_commit":\#(head),\#(repository)}
                    """#, namesCommit: true),
            TagPayload(
                provider: "gitlab", event: ("X-Gitlab-Event", "Tag Push Hook"),
                body: #"""
                    {"object_kind":"tag_push","event_name":"tag_push","before":"\#(zero)","after":"\#(object)",
                     "ref":"refs/tags/\#(tag)","checkout_sha":"\#(commit)","message":"one","commits":[],
                     "total_commits_count":0,"project":{"path_with_namespace":"team/repo"}}
                    """#, namesCommit: true),
            gitea("gitea", "X-Gitea-Event"), gitea("forgejo", "X-Forgejo-Event"),
            // It has no push of tags.
            TagPayload(
                provider: "gogs", event: ("X-Gogs-Event", "create"),
                body: #"""
                    {"ref":"\#(tag)","ref_type":"tag","sha":"\#(object)","default_branch":"main",\#(repository),
                     "sender":{"login":"dev"}}
                    """#, namesCommit: false),
            TagPayload(
                provider: "bitbucket", event: ("X-Event-Key", "repo:push"),
                body: #"""
                    {"push":{"changes":[{"old":null,"new":{"type":"tag","name":"\#(tag)","message":"one\n",
                     "target":{"type":"commit","hash":"\#(commit)","message":"one\n"}},
                     "created":true,"closed":false,"forced":false,"truncated":false}]},
                     "repository":{"type":"repository","full_name":"team/repo"}}
                    """#, namesCommit: true),
            TagPayload(
                provider: "bitbucket-server", event: ("X-Event-Key", "repo:refs_changed"),
                body: #"""
                    {"eventKey":"repo:refs_changed","date":"2026-11-26T10:00:00+0000","repository":{"slug":"repo"},
                     "changes":[{"ref":{"id":"refs/tags/\#(tag)","displayId":"\#(tag)","type":"TAG"},
                     "refId":"refs/tags/\#(tag)","fromHash":"\#(zero)","toHash":"\#(object)","type":"ADD"}]}
                    """#, namesCommit: false),
            TagPayload(
                provider: "generic", event: ("X-Kinto-Event", "push"),
                body: #"{"ref":"tags/\#(tag)","commit":"\#(commit)"}"#, namesCommit: true),
        ]
    }

    /// The same of a tag that is gone.
    public static func removed(_ tag: String, commit: String) -> [TagPayload] {
        func git(_ provider: String, _ header: String, _ value: String = "push") -> TagPayload {
            TagPayload(
                provider: provider, event: (header, value),
                body: #"""
                    {"ref":"refs/tags/\#(tag)","object_kind":"tag_push","before":"\#(commit)","after":"\#(zero)",
                     "checkout_sha":null,"head_commit":null,"commits":[],"deleted":true}
                    """#, namesCommit: true)
        }
        return [
            git("github", "X-GitHub-Event"), git("gitlab", "X-Gitlab-Event", "Tag Push Hook"),
            git("gitea", "X-Gitea-Event"), git("forgejo", "X-Forgejo-Event"),
            TagPayload(
                provider: "gogs", event: ("X-Gogs-Event", "delete"),
                body: #"{"ref":"\#(tag)","ref_type":"tag","pusher_type":"user","sender":{"login":"dev"}}"#,
                namesCommit: true),
            TagPayload(
                provider: "bitbucket", event: ("X-Event-Key", "repo:push"),
                body: #"""
                    {"push":{"changes":[{"new":null,"old":{"type":"tag","name":"\#(tag)","target":{"type":"commit",
                     "hash":"\#(commit)"}},"created":false,"closed":true,"forced":false}]}}
                    """#, namesCommit: true),
            TagPayload(
                provider: "bitbucket-server", event: ("X-Event-Key", "repo:refs_changed"),
                body: #"""
                    {"changes":[{"ref":{"id":"refs/tags/\#(tag)","displayId":"\#(tag)","type":"TAG"},
                     "refId":"refs/tags/\#(tag)","fromHash":"\#(commit)","toHash":"\#(zero)","type":"DELETE"}]}
                    """#, namesCommit: true),
        ]
    }
}
