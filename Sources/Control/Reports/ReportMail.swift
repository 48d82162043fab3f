// SPDX-License-Identifier: Apache-2.0
internal import HTTPClient
internal import KintoCore
internal import Wire

/// News as a mail.
struct ReportMail {
    /// A server may think about it for a while.
    private static let timeout = 30_000
    /// Greylisting lets everybody wait for some minutes; a recipient that is refused for longer keeps the others back no more.
    private static let patientAttempts = 4

    let report: PendingReport
    let mail: MailSettings
    let news: any News
    let link: String?

    /// - Parameter allowsRefusedRecipients: the others get it, whoever is refused.
    func submission(allowsRefusedRecipients: Bool = false) -> SMTPClient.Submission {
        let target = report.target
        let host = mail.from.split(separator: "@").last.map(String.init) ?? "localhost"
        let message = MailMessage(
            from: mail.from, to: mail.to, identifier: "\(news.identifier(for: target))@\(host)",
            // Not the time of the try: the message is the same, byte by byte, when it is sent again.
            date: news.at, subject: news.subject, body: body)
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

    private var body: String {
        // One line each, whatever stands in them.
        (news.lines + (link.map { ["", $0] } ?? [])).map { line in
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
