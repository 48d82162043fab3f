// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HTTPClient
internal import HookReceiver
internal import KintoCore
internal import Wire

/// What is sent to a target because of a release's state.
struct ReportRequest {
    /// For a person who waits behind it.
    static let timeout = 10_000

    let report: PendingReport
    let service: RegisteredService
    /// Of the control server as people reach it, without a slash at its end; nil: reports have no links.
    let publicURL: String?

    /// How it is brought there.
    enum Form {
        /// With one for an older API, when the first is not known there.
        case http(HTTPClient.Request, older: HTTPClient.Request?)
        case mail(ReleaseMail)
    }

    /// nil: the target has no use for this state.
    func make(at now: Timestamp = .now) -> Form? {
        if report.target.kind == .mail {
            guard news != nil, let mail = report.target.mail else { return nil }
            return .mail(ReleaseMail(report: report, mail: mail, link: link, identifier: identifier))
        }
        if let status { return status.request().map { .http($0, older: status.olderRequest()) } }
        return request(now).map { .http($0, older: nil) }
    }

    private var status: StatusReport? {
        guard report.target.kind == .status, let commit = report.release.commit else { return nil }
        return StatusReport(
            release: report.release, commit: commit, service: service, link: link, api: report.target.url,
            token: report.target.secret)
    }

    private func request(_ now: Timestamp) -> HTTPClient.Request? {
        switch report.target.kind {
        case .slack: return news.flatMap { ReportRequest.post(report.target.url, [], ["text": $0.text]) }
        case .webhook: return news.flatMap { signed($0, now) }
        case .mail, .status: return nil
        }
    }

    /// The same when it is sent again, and nobody else's: the time tells servers apart that report to the same place.
    private var identifier: String {
        let release = report.release
        return
            "kinto-\(report.target.id)-\(release.id)-\(release.status.rawValue)-\(release.createdAt.milliseconds)"
    }

    private var link: String? {
        publicURL.map {
            "\($0)/services/\(service.name)/\(report.release.target.environment)/releases/\(report.release.number)"
        }
    }

    /// The first failure after something went well, and the first success after a failure: the rest is no news.
    private var news: (type: String, text: String)? {
        let release = report.release
        let name = "\(release.target)"
        let commit = release.commit.map { " (\($0.short) \(release.subject))" } ?? ""
        let more = link.map { " \($0)" } ?? ""
        switch (release.status, report.before) {
        case (.failed, .deployed), (.failed, nil):
            return (
                "release.failed",
                "\(name): release \(release.number)\(commit) failed: \(release.failure?.summary ?? "")\(more)"
            )
        case (.deployed, .failed):
            return ("release.recovered", "\(name): release \(release.number)\(commit) is live again\(more)")
        default: return nil
        }
    }

    /// Standard Webhooks: the same identifier when it is sent again.
    private func signed(_ news: (type: String, text: String), _ now: Timestamp) -> HTTPClient.Request? {
        struct Body: Encodable {
            let type, timestamp, text: String
            let data: ReleaseJSON
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let release = report.release
        let body = Body(
            type: news.type, timestamp: (release.finishedAt ?? now).rfc3339, text: news.text,
            data: ReleaseJSON(release: release))
        guard let bytes = try? encoder.encode(body) else { return nil }
        let (identifier, time) = (self.identifier, "\(now.milliseconds / 1000)")
        var headers = [
            "Content-Type: application/json", "webhook-id: \(identifier)", "webhook-timestamp: \(time)",
        ]
        if !report.target.secret.isEmpty,
            let signature = StandardWebhook.signature(
                identifier: identifier, time: time, Array(bytes), secret: report.target.secret)
        {
            headers.append("webhook-signature: \(signature)")
        }
        return HTTPClient.Request(
            "POST", url: report.target.url, headers: headers, body: Array(bytes), timeout: Self.timeout)
    }

    static func post(_ url: String, _ headers: [String], _ fields: [String: String]) -> HTTPClient.Request? {
        guard let body = try? JSONEncoder().encode(fields) else { return nil }
        return HTTPClient.Request(
            "POST", url: url, headers: ["Content-Type: application/json", "User-Agent: kinto"] + headers,
            body: Array(body), timeout: timeout)
    }
}
