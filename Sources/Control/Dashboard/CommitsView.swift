// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner

/// Commits that a change brings and takes away, for the pages.
struct CommitsView {
    let difference: Actions.CommitDifference

    var values: [String: Any] {
        [
            "brings": side(difference.brought), "takes": side(difference.taken),
            "none": difference.brought.count + difference.taken.count == 0,
        ]
    }

    /// `1 commit`, `12 commits`
    static func count(_ number: Int) -> String { number == 1 ? "1 commit" : "\(number) commits" }

    private func side(_ commits: Actions.CommitDifference.Side) -> Any {
        guard commits.count > 0 else { return false }
        return [
            "count": CommitsView.count(commits.count),
            "commits": commits.newest.map {
                ["commit": $0.id.short, "subject": $0.subject, "author": $0.authorName]
            },
            "more": commits.count > commits.newest.count
                ? commits.count - commits.newest.count : false as Any,
        ] as [String: Any]
    }
}
