// SPDX-License-Identifier: Apache-2.0
internal import HTTPClient
internal import KintoCore
internal import Wire

/// What a mail says of a release that failed, or of the first that went well after it.
struct ReleaseMail {
    /// A server may think about it for a while.
    private static let timeout = 30_000
    /// Greylisting lets everybody wait for some minutes; a recipient that is refused for longer keeps the others back no more.
    private static let patientAttempts = 4

    let report: PendingReport
    let mail: MailSettings
    let link: String?
    /// Of this report; the same when it is sent again.
    let identifier: String

    private var release: Release { report.release }

    /// - Parameter allowsRefusedRecipients: the others get it, whoever is refused.
    func submission(allowsRefusedRecipients: Bool = false) -> SMTPClient.Submission {
        let target = report.target
        let host = mail.from.split(separator: "@").last.map(String.init) ?? "localhost"
        let message = MailMessage(
            from: mail.from, to: mail.to, identifier: "\(identifier)@\(host)",
            // Not the time of the try: the message is the same, byte by byte, when it is sent again.
            date: release.finishedAt ?? release.createdAt, subject: subject, body: body)
        return SMTPClient.Submission(
            url: target.url, needsTLS: needsTLS, authorities: mail.authorities, user: mail.user,
            password: target.secret, sender: mail.from, recipients: mail.to,
            allowsRefusedRecipients: allowsRefusedRecipients || report.attempts >= Self.patientAttempts,
            message: message.bytes, timeout: Self.timeout)
    }

    /// By STARTTLS: not on loopback, where the usual certificate is nobody's, unless the operator named who signs it.
    private var needsTLS: Bool {
        if mail.isPlaintext { return false }
        let host = MailServerAddress(report.target.url)?.host ?? ""
        return mail.authorities != nil || !MailSettings.isLoopback(host)
    }

    private var subject: String {
        let words = release.status == .failed ? "failed" : "is live again"
        let commit = release.commit.map { " (\($0.short) \(release.subject.prefix(100)))" } ?? ""
        return "\(release.target): release \(release.number) \(words)\(commit)"
    }

    private var body: String {
        var lines = [
            release.status == .failed
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
        if let link { lines += ["", link] }
        // One line each, whatever stands in them.
        return lines.map { line in
            String(String.UnicodeScalarView(line.unicodeScalars.map { $0 == "\n" || $0 == "\r" ? " " : $0 }))
        }.joined(separator: "\n") + "\n"
    }
}

/// `smtp://HOST[:PORT]` or `smtps://HOST[:PORT]`, and nothing else.
struct MailServerAddress {
    let host: String

    init?(_ text: String) {
        let scheme = ["smtp://", "smtps://"].first { text.lowercased().hasPrefix($0) }
        guard let scheme else { return nil }
        var rest = text.dropFirst(scheme.count)
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
            guard host.utf8.allSatisfy({ "0123456789abcdefABCDEF:.".utf8.contains($0) }) else { return nil }
        } else {
            let name = rest.prefix { $0 != ":" }
            host = String(name)
            rest = rest.dropFirst(name.count)
            guard
                host.utf8.allSatisfy({
                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_".utf8.contains($0)
                })
            else { return nil }
        }
        guard !host.isEmpty, host.utf8.count <= 255 else { return nil }
        if rest.isEmpty { return }
        guard rest.first == ":", let port = UInt16(rest.dropFirst()), port > 0, rest.dropFirst().first != "+"
        else { return nil }
    }
}
