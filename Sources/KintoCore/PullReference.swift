// SPDX-License-Identifier: Apache-2.0

/// Where a forge keeps the commits of a pull request in the repository that it is to be merged into, also those of a fork.
/// Nothing but such an event and the settings lead to one: nobody names it as a branch, and no push deploys it.
public enum PullReference {
    private static let forms = [
        (prefix: "refs/pull/", suffix: "/head"), (prefix: "refs/merge-requests/", suffix: "/head"),
        (prefix: "refs/pull-requests/", suffix: "/from"),
    ]

    /// - Returns: nil: the forge has none, or it is no pull request's number.
    public static func full(_ number: Int, _ provider: Provider) -> String? {
        guard number > 0 else { return nil }
        switch provider {
        case .github, .gitea, .forgejo, .gogs: return "refs/pull/\(number)/head"
        case .gitlab: return "refs/merge-requests/\(number)/head"
        case .bitbucketServer: return "refs/pull-requests/\(number)/from"
        case .bitbucket, .generic: return nil
        }
    }

    /// - Returns: nil: it is another reference.
    public static func number(_ reference: String) -> Int? {
        for form in forms where reference.hasPrefix(form.prefix) && reference.hasSuffix(form.suffix) {
            let digits = reference.dropFirst(form.prefix.count).dropLast(form.suffix.count)
            guard let number = Int(digits), number > 0, "\(number)" == digits else { return nil }
            return number
        }
        return nil
    }
}
