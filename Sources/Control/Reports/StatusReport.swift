// SPDX-License-Identifier: Apache-2.0
internal import Wire
internal import Crypto
internal import Foundation
internal import HTTPClient
internal import KintoCore
internal import Runner

/// A commit's status, as each forge's documentation says that it takes it:
/// - GitHub: docs.github.com/rest/commits/statuses (a description of more than 140 characters is refused with 422)
/// - GitLab: docs.gitlab.com/api/commits, "Set the pipeline status of a commit", and its `Ci::CreateCommitStatusService`
/// - Gitea and Forgejo: `POST /repos/{owner}/{repo}/statuses/{sha}` of their /api/swagger, states of `modules/commitstatus`
/// - Bitbucket: developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses (a key of more than 40 characters is
///   refused with 400; so is a link whose host is one word)
/// - Bitbucket Server: developer.atlassian.com/server/bitbucket/rest: builds of a repository's commit since 7.14, before it
///   build-status; state, key and url are needed, the url has at most 450 characters and the rest 255, and states are
///   SUCCESSFUL, FAILED and INPROGRESS only (all versions know these)
///
/// Gogs has no statuses.
struct StatusReport {
    let release: Release
    let commit: CommitID
    let service: RegisteredService
    /// Where people look at the release.
    let link: String?
    let api: String
    let token: String
    /// What is live has this commit already: nothing went wrong.
    var isRepetition = false

    /// What every forge can say.
    private enum State { case pending, success, failure, stopped }

    private var state: State {
        switch release.status {
        case .queued, .deploying: .pending
        case .deployed: .success
        case .failed: .failure
        case .superseded where isRepetition: .success
        case .aborted, .superseded: .stopped
        }
    }

    /// One short line: GitHub's limit is the lowest.
    private var text: String {
        let words: String
        switch release.status {
        case .queued: words = "release \(release.number) is queued"
        case .deploying: words = "release \(release.number) is being deployed"
        case .deployed: words = "release \(release.number) is live"
        case .failed: words = "release \(release.number) failed: \(release.failure?.summary ?? "")"
        case .aborted: words = "release \(release.number) was aborted"
        case .superseded where isRepetition:
            words = "release \(release.supersededBy ?? 0) is live with this commit"
        case .superseded:
            words =
                "release \(release.number) was superseded\(release.supersededBy.map { " by \($0)" } ?? "")"
        }
        return StatusReport.line(words, limit: 140)
    }

    /// Without control characters, cut to so many units of UTF-16: what counts least counts these.
    private static func line(_ text: String, limit: Int) -> String {
        var out = String.UnicodeScalarView()
        var left = limit
        for scalar in text.unicodeScalars {
            left -= UTF16.width(scalar)
            if left < 0 { break }
            out.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return String(out)
    }

    /// Whether the refusal of a status says that the forge has that state already, as when it is sent again: GitLab lets none
    /// be set twice ("Cannot transition status via :run from :running").
    static func isKnown(_ answer: HTTPClient.Response, to provider: Provider) -> Bool {
        provider == .gitlab && answer.status == 400
            && String(decoding: answer.body, as: UTF8.self).contains("Cannot transition status")
    }

    private var context: String {
        release.target.environment == .production
            ? "kinto/\(service.name)" : "kinto/\(service.name)/\(release.target.environment)"
    }

    /// nil: the provider has no such thing, or the address tells no repository.
    func request() -> HTTPClient.Request? { request(older: false) }

    /// For a server that does not know the first; nil: there is no other.
    func olderRequest() -> HTTPClient.Request? {
        service.provider == .bitbucketServer ? request(older: true) : nil
    }

    private func request(older: Bool) -> HTTPClient.Request? {
        guard let address = try? GitAddress(service.repository), address.transport != .local else {
            return nil
        }
        var path = address.path.split(separator: "/").map(String.init)
        if path.last?.hasSuffix(".git") == true, let last = path.popLast() {
            path.append(String(last.dropLast(4)))
        }
        // Owner and repository: what is before them is where the forge lives.
        let project = path.suffix(2).map(StatusReport.escaped).joined(separator: "/")
        let host =
            (address.host.contains(":") ? "[\(address.host)]" : address.host)
            + (address.transport == .https ? address.port.map { ":\($0)" } ?? "" : "")
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
                ], "Accept: application/vnd.github+json", "X-GitHub-Api-Version: 2022-11-28")
        case .gitea, .forgejo:
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
                        pending: release.status == .queued ? "pending" : "running", success: "success",
                        failure: "failed", stopped: "canceled"),
                    "name": context, "description": text,
                    "target_url": link.flatMap { $0.count <= 255 ? $0 : nil },
                    "ref": release.branch.isEmpty ? nil : reference,
                ])
        case .bitbucket:
            let base = api.isEmpty ? "https://api.bitbucket.org/2.0" : api
            let page = "https://bitbucket.org/\(project)/commits/\(commit)"
            let isTaken = link.flatMap { URL(string: $0)?.host }?.contains(".") == true
            return post(
                "\(base)/repositories/\(project)/commit/\(commit)/statuses/build",
                "Authorization: Bearer \(token)",
                bitbucket(stopped: "STOPPED", key: shortKey, page: isTaken ? link ?? page : page))
        case .bitbucketServer:
            let base = api.isEmpty ? "https://\(host)" : api
            // `scm/PROJECT/REPOSITORY` over https, without scm over ssh.
            let names = path.suffix(2).map(StatusReport.escaped)
            let place =
                names.count == 2 ? "projects/\(names[0])/repos/\(names[1])/commits/\(commit)" : nil
            let page = "\(base)/\(place ?? "")"
            var fields = bitbucket(
                stopped: "FAILED", key: context, page: link.flatMap { $0.count <= 450 ? $0 : nil } ?? page)
            var url = "\(base)/rest/build-status/1.0/commits/\(commit)"
            if !older, let place {
                url = "\(base)/rest/api/latest/\(place)/builds"
                fields["ref"] = release.branch.isEmpty ? nil : RefName.full(release.branch)
            }
            return post(url, "Authorization: Bearer \(token)", fields)
        case .gogs, .generic: return nil
        }
    }

    /// - Parameter page: both need one.
    private func bitbucket(stopped: String, key: String, page: String) -> [String: String?] {
        [
            "state": word(
                pending: "INPROGRESS", success: "SUCCESSFUL", failure: "FAILED", stopped: stopped),
            "key": key, "name": context, "description": text, "url": page,
        ]
    }

    /// Of at most 40 characters, and still the same for this service and environment only.
    private var shortKey: String {
        if context.utf8.count <= 40 { return context }
        let digest = SHA256.hash(data: Data(context.utf8)).prefix(6)
        return "\(context.prefix(27))-\(hexadecimal(digest))"
    }

    private func word(pending: String, success: String, failure: String, stopped: String) -> String {
        switch state {
        case .pending: pending
        case .success: success
        case .failure: failure
        case .stopped: stopped
        }
    }

    private func post(
        _ url: String, _ authorization: String, _ fields: [String: String?], _ headers: String...
    ) -> HTTPClient.Request? {
        ReportRequest.post(url, [authorization] + headers, fields.compactMapValues { $0 })
    }

    /// The branch or tag as a forge calls it.
    private var reference: String {
        let full = RefName.full(release.branch)
        for folder in ["refs/heads/", "refs/tags/"] where full.hasPrefix(folder) {
            return String(full.dropFirst(folder.count))
        }
        return full
    }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~")))
            ?? text
    }
}
