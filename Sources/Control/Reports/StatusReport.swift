// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HTTPClient
internal import KintoCore
internal import Runner

/// A commit's status, as each forge takes it.
struct StatusReport {
    let release: Release
    let commit: CommitID
    let service: RegisteredService
    /// Where people look at the release.
    let link: String?
    let api: String
    let token: String

    /// What every forge can say.
    private enum State { case pending, success, failure, stopped }

    private var state: State {
        switch release.status {
        case .queued, .deploying: .pending
        case .deployed: .success
        case .failed: .failure
        case .aborted, .superseded: .stopped
        }
    }

    /// One short line.
    private var text: String {
        let words: String
        switch release.status {
        case .queued: words = "release \(release.number) is queued"
        case .deploying: words = "release \(release.number) is being deployed"
        case .deployed: words = "release \(release.number) is live"
        case .failed: words = "release \(release.number) failed: \(release.failure?.summary ?? "")"
        case .aborted: words = "release \(release.number) was aborted"
        case .superseded:
            words =
                "release \(release.number) was superseded\(release.supersededBy.map { " by \($0)" } ?? "")"
        }
        return String(words.prefix(140))
    }

    private var context: String {
        release.target.environment == .production
            ? "kinto/\(service.name)" : "kinto/\(service.name)/\(release.target.environment)"
    }

    /// nil: the provider has no such thing, or the address tells no repository.
    func request() -> HTTPClient.Request? {
        guard let address = try? GitAddress(service.repository), address.transport != .local else {
            return nil
        }
        var path = address.path.split(separator: "/").map(String.init)
        if path.last?.hasSuffix(".git") == true, let last = path.popLast() {
            path.append(String(last.dropLast(4)))
        }
        let project = path.map(StatusReport.escaped).joined(separator: "/")
        let host = address.host
        switch service.provider {
        case .github:
            let base =
                api.isEmpty
                ? (host == "github.com" ? "https://api.github.com" : "https://\(host)/api/v3") : api
            return post(
                "\(base)/repos/\(project)/statuses/\(commit)", "Authorization: Bearer \(token)",
                [
                    "state": word(
                        pending: "pending", success: "success", failure: "failure", stopped: "error"),
                    "context": context, "description": text, "target_url": link,
                ])
        case .gitea, .forgejo, .gogs:
            let base = api.isEmpty ? "https://\(host)/api/v1" : api
            return post(
                "\(base)/repos/\(project)/statuses/\(commit)", "Authorization: token \(token)",
                [
                    "state": word(
                        pending: "pending", success: "success", failure: "failure", stopped: "warning"),
                    "context": context, "description": text, "target_url": link,
                ])
        case .gitlab:
            let base = api.isEmpty ? "https://\(host)/api/v4" : api
            let name = StatusReport.escaped(path.joined(separator: "/"))
            return post(
                "\(base)/projects/\(name)/statuses/\(commit)", "PRIVATE-TOKEN: \(token)",
                [
                    "state": word(
                        pending: "running", success: "success", failure: "failed", stopped: "canceled"),
                    "name": context, "description": text, "target_url": link, "ref": release.branch,
                ])
        case .bitbucket:
            let base = api.isEmpty ? "https://api.bitbucket.org/2.0" : api
            return post(
                "\(base)/repositories/\(project)/commit/\(commit)/statuses/build",
                "Authorization: Bearer \(token)",
                bitbucket)
        case .bitbucketServer:
            let base = api.isEmpty ? "https://\(host)" : api
            return post(
                "\(base)/rest/build-status/1.0/commits/\(commit)", "Authorization: Bearer \(token)", bitbucket
            )
        case .generic: return nil
        }
    }

    private var bitbucket: [String: String?] {
        [
            "state": word(
                pending: "INPROGRESS", success: "SUCCESSFUL", failure: "FAILED", stopped: "STOPPED"),
            "key": context, "name": context, "description": text, "url": link ?? "http://localhost/",
        ]
    }

    private func word(pending: String, success: String, failure: String, stopped: String) -> String {
        switch state {
        case .pending: pending
        case .success: success
        case .failure: failure
        case .stopped: stopped
        }
    }

    private func post(_ url: String, _ authorization: String, _ fields: [String: String?]) -> HTTPClient
        .Request?
    {
        ReportRequest.post(url, [authorization], fields.compactMapValues { $0 })
    }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~")))
            ?? text
    }
}
