// SPDX-License-Identifier: Apache-2.0
public import KintoCore

/// One branch or tag that a push made, moved or removed.
public struct RefChange: Sendable, Equatable, Codable {
    /// In full: `refs/heads/…`, `refs/tags/…`.
    public var reference: String
    /// What it points at now, an annotated tag followed to its commit; nil when it was removed, or when the sender did not
    /// say.
    public var commit: CommitID?
    public var isRemoved: Bool
    /// It does not contain what it pointed at before.
    public var isForced: Bool
    /// The words of the newest commit that ask for no deploy.
    public var skipMarker: String?
    /// Not a push, but a pull request of this number told it: of its branch, which counts as removed when it was closed.
    /// Previews alone are deployed by it.
    public var pullRequest: Int?
    /// The pull request is not of a branch of the repository itself, and where it is from: `from a fork (mallory/app)`. The
    /// reference is the forge's own then.
    public var stranger: String?

    public init(
        reference: String, commit: CommitID?, isRemoved: Bool = false, isForced: Bool = false,
        skipMarker: String? = nil, pullRequest: Int? = nil, stranger: String? = nil
    ) {
        self.reference = reference
        self.commit = commit
        self.isRemoved = isRemoved
        self.isForced = isForced
        self.skipMarker = skipMarker
        self.pullRequest = pullRequest
        self.stranger = stranger
    }

    /// nil for a tag and everything else that is no branch.
    public var branch: String? {
        reference.hasPrefix("refs/heads/") ? String(reference.dropFirst("refs/heads/".count)) : nil
    }

    public var tag: String? {
        reference.hasPrefix("refs/tags/") ? String(reference.dropFirst("refs/tags/".count)) : nil
    }

    /// What a commit's message says about being deployed.
    static func marker(in message: String?) -> String? {
        guard let message = message?.lowercased() else { return nil }
        return ["[skip deploy]", "[skip cd]", "[skip ci]", "[ci skip]", "[cd skip]"].first(
            where: message.contains)
    }

    /// For people: never a control character of a sender, and never a long text.
    public static func shown(_ text: String) -> String {
        text.unicodeScalars.prefix(60).map { $0.escaped(asASCII: true) }.joined()
    }
}
