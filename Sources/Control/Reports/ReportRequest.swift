// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HTTPClient
internal import HookReceiver
internal import KintoCore
internal import Wire

/// What is sent to a target because of a release's state, or of what is news of a schedule.
struct ReportRequest {
    /// For a person who waits behind it.
    static let timeout = 10_000

    let report: PendingReport
    let service: RegisteredService
    /// Of the control server as people reach it, without a slash at its end; nil: reports have no links.
    let publicURL: String?
    let place: ServicePlace

    /// How it is brought there.
    enum Form {
        /// With one for an older API, when the first is not known there.
        case http(HTTPClient.Request, older: HTTPClient.Request?)
        case mail(ReportMail)
    }

    /// nil: the target has no use for this state.
    func make(at now: Timestamp = .now) -> Form? {
        if report.target.kind == .status {
            return status.flatMap { status in
                status.request().map { .http($0, older: status.olderRequest()) }
            }
        }
        guard let news else { return nil }
        let link = link(news.path)
        if report.target.kind == .mail {
            return report.target.mail.map {
                .mail(ReportMail(report: report, mail: $0, news: news, link: link))
            }
        }
        let text = news.text + (link.map { " \($0)" } ?? "")
        let request =
            report.target.kind == .slack
            ? ReportRequest.post(report.target.url, [], ["text": text]) : signed(news, text, now)
        return request.map { .http($0, older: nil) }
    }

    private var status: StatusReport? {
        guard case .release(let release, _, _) = report.subject, let commit = release.commit else {
            return nil
        }
        return StatusReport(
            release: release, commit: commit, service: service,
            link: preview(release) ?? link("\(release.target.environment)/releases/\(release.number)"),
            api: report.target.url,
            token: report.target.secret, isRepetition: report.isRepetition)
    }

    private var news: (any News)? {
        switch report.subject {
        case .release(let release, _, let before): ReleaseNews(release, before: before)
        case .cron(let news): CronReport(news: news)
        }
    }

    /// Who asks for a preview wants to see it, not how it was made.
    private func preview(_ release: Release) -> String? {
        guard place.domain != nil, Preview.isName(release.target.environment.description),
            release.status == .deployed,
            release.manifest?.takesRequests == true
        else { return nil }
        return place.url(release.target)
    }

    private func link(_ path: String) -> String? {
        publicURL.map { "\($0)/services/\(service.name)/\(path)" }
    }

    /// Standard Webhooks: the same identifier when it is sent again.
    private func signed(_ news: any News, _ text: String, _ now: Timestamp) -> HTTPClient.Request? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = Body(type: news.type, timestamp: news.at.rfc3339, text: text, data: news.data)
        guard let bytes = try? encoder.encode(body) else { return nil }
        let (identifier, time) = (news.identifier(for: report.target), "\(now.milliseconds / 1000)")
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

    private struct Body: Encodable {
        private enum Keys: String, CodingKey { case type, timestamp, text, data }

        let type, timestamp, text: String
        let data: any Encodable

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(type, forKey: .type)
            try container.encode(timestamp, forKey: .timestamp)
            try container.encode(text, forKey: .text)
            try container.encode(data, forKey: .data)
        }
    }

    static func post(_ url: String, _ headers: [String], _ fields: [String: String]) -> HTTPClient.Request? {
        guard let body = try? JSONEncoder().encode(fields) else { return nil }
        return HTTPClient.Request(
            "POST", url: url, headers: ["Content-Type: application/json", "User-Agent: kinto"] + headers,
            body: Array(body), timeout: timeout)
    }
}
