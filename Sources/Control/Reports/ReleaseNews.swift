// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// A release that failed, or the first that went well after it.
struct ReleaseNews: News {
    private let release: Release

    /// nil: it is none.
    /// - Parameter before: how the release before it of the same environment ended; nil: there was none.
    init?(_ release: Release, before: Release.Status?) {
        switch (release.status, before) {
        case (.failed, .deployed), (.failed, nil), (.deployed, .failed): self.release = release
        default: return nil
        }
    }

    private var isFailure: Bool { release.status == .failed }
    var type: String { isFailure ? "release.failed" : "release.recovered" }
    var at: Timestamp { release.finishedAt ?? release.createdAt }
    var data: any Encodable { ReleaseJSON(release: release) }
    var path: String { "\(release.target.environment)/releases/\(release.number)" }

    var text: String {
        let commit = release.commit.map { " (\($0.short) \(release.subject))" } ?? ""
        return "\(release.target): release \(release.number)\(commit) "
            + (isFailure ? "failed: \(release.failure?.summary ?? "")" : "is live again")
    }

    var subject: String {
        let commit = release.commit.map { " (\($0.short) \(release.subject.prefix(100)))" } ?? ""
        return
            "\(release.target): release \(release.number) \(isFailure ? "failed" : "is live again")\(commit)"
    }

    var lines: [String] {
        var lines = [
            isFailure
                ? "Release \(release.number) of \(release.target) failed\(release.failure?.stage.map { " at \($0.rawValue)" } ?? "")."
                : "Release \(release.number) of \(release.target) is live, after one that failed.",
            "",
        ]
        if let failure = release.failure { lines.append("Cause:    \(failure.message) (\(failure.code))") }
        if let commit = release.commit { lines.append("Commit:   \(commit.short) \(release.subject)") }
        if !release.author.isEmpty { lines.append("Author:   \(release.author)") }
        if !release.branch.isEmpty { lines.append("Branch:   \(release.branch)") }
        lines.append("Trigger:  \(release.trigger.rawValue)")
        lines.append("Time:     \((release.finishedAt ?? release.createdAt).rfc3339)")
        if let failure = release.failure, !failure.evidence.isEmpty {
            lines += ["", "What was seen:", ""]
            lines += failure.evidence.suffix(50).map { "  | \($0.prefix(500))" }
        }
        if let failure = release.failure {
            lines += ["", "What to do:", ""]
            for hint in failure.hints {
                lines.append("  - \(hint.text)\(hint.command == nil ? "" : ":")")
                if let command = hint.command { lines.append("      \(command)") }
            }
            lines += [
                "  - see why it failed:",
                "      kinto why \(release.target.words) \(release.number)",
            ]
        }
        return lines
    }

    func identifier(for target: ReportTarget) -> String {
        "kinto-\(target.id)-\(release.id)-\(release.status.rawValue)-\(release.createdAt.milliseconds)"
    }
}
