// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import KintoCore
import Testing
import Wire

@testable import Control

/// Each forge is asked as its documentation wants it.
struct StatusReportTests {
    private func report(
        _ provider: Provider, _ status: Release.Status, environment: String = "production",
        service: String = "hello",
        link: String? = "https://kinto.example.com/x", message: String = "it broke",
        repository: String = "https://forge.example.com/team/some.repo.git"
    ) throws -> StatusReport {
        let name = try ServiceName(service)
        var release = Release(
            id: 1, target: Target(service: name, environment: try EnvironmentName(environment)), number: 7,
            status: status, commit: CommitID(String(repeating: "a", count: 40)), branch: "main",
            trigger: .webhook,
            createdAt: .now)
        if status == .failed { release.failure = Failure(code: "probe-timeout", message) }
        return StatusReport(
            release: release, commit: try #require(release.commit),
            service: RegisteredService(
                name: name, source: .remote, repository: repository, createdAt: .now, provider: provider,
                webhookSecret: "x"),
            link: link, api: "", token: "a-token")
    }

    private func fields(_ report: StatusReport) throws -> [String: String] {
        let request = try #require(report.request())
        return try #require(
            JSONSerialization.jsonObject(with: Data(request.body ?? [])) as? [String: String])
    }

    @Test func eachForgeHasItsWordsForAState() throws {
        let states: [Release.Status] = [.queued, .deploying, .deployed, .failed, .aborted, .superseded]
        let wanted: [(Provider, [String])] = [
            (.github, ["pending", "pending", "success", "failure", "error", "error"]),
            (.gitea, ["pending", "pending", "success", "failure", "warning", "warning"]),
            (.forgejo, ["pending", "pending", "success", "failure", "warning", "warning"]),
            // GitLab refuses a state that it has already.
            (.gitlab, ["pending", "running", "success", "failed", "canceled", "canceled"]),
            (.bitbucket, ["INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED", "STOPPED"]),
            // Of the server's words these three are taken by all its versions.
            (.bitbucketServer, ["INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "FAILED", "FAILED"]),
        ]
        for (provider, words) in wanted {
            for (state, word) in zip(states, words) {
                #expect(try fields(try report(provider, state))["state"] == word, "\(provider) \(state)")
            }
        }
        for provider in [Provider.gogs, .generic] { #expect(try report(provider, .failed).request() == nil) }
    }

    @Test func noFieldIsLongerThanTheForgeTakesIt() throws {
        let long = String(repeating: "👩‍👩‍👧 is\r\nlong ", count: 100)
        let (service, environment) = (String(repeating: "s", count: 63), String(repeating: "e", count: 63))
        let link = "https://kinto.example.com/" + String(repeating: "x", count: 600)
        for provider in [Provider.github, .gitea, .forgejo, .gitlab, .bitbucket, .bitbucketServer] {
            let fields = try fields(
                try report(
                    provider, .failed, environment: environment, service: service, link: link, message: long))
            let text = try #require(fields["description"])
            #expect(text.utf16.count <= 140 && text.hasPrefix("release 7 failed: "))
            #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control })
            for name in ["context", "name"] { #expect((fields[name]?.utf16.count ?? 0) <= 255) }
            if provider == .bitbucket { #expect(fields["key"]?.utf16.count == 40) }
            if provider == .bitbucketServer { #expect((fields["url"]?.utf16.count ?? 999) <= 450) }
            if provider == .gitlab { #expect(fields["target_url"] == nil) }
        }
        let keys = try ["one", "two"].map { end in
            try fields(
                try report(
                    .bitbucket, .failed, environment: String(environment.dropLast(3)) + end, service: service)
            )[
                "key"]
        }
        #expect(keys[0] != keys[1])
        #expect(try fields(try report(.bitbucket, .failed))["key"] == "kinto/hello")
    }

    /// Two environments at one commit: neither overwrites what the other said.
    @Test func eachEnvironmentOfACommitHasItsOwnStatusAndLink() throws {
        for provider in [Provider.github, .gitea, .forgejo, .gitlab, .bitbucket, .bitbucketServer] {
            let names = try ["production", "staging", "qa"].map { environment in
                let fields = try fields(try report(provider, .deployed, environment: environment))
                return fields["key"] ?? fields["context"] ?? fields["name"] ?? ""
            }
            #expect(names == ["kinto/hello", "kinto/hello/staging", "kinto/hello/qa"], "\(provider)")
        }
        var one = try report(.github, .deployed, environment: "staging").release
        one.branch = "tags/v1"
        let service = try report(.gitlab, .deployed).service
        for (kind, link) in [(ReportTarget.Kind.status, "target_url"), (.webhook, "text")] {
            one.status = .failed
            let pending = PendingReport(
                target: ReportTarget(service: nil, kind: kind, url: "http://127.0.0.1:1/", secret: ""),
                subject: .release(one, told: nil, before: nil), attempts: 0)
            guard
                case .http(let request, _)? = ReportRequest(
                    report: pending, service: service, publicURL: "https://kinto.example.com",
                    place: ServicePlace(port: 80, domain: nil)
                ).make()
            else {
                Issue.record("nothing is reported")
                continue
            }
            let fields = try #require(
                JSONSerialization.jsonObject(with: Data(request.body ?? [])) as? [String: Any])
            #expect(
                (fields[link] as? String)?.hasSuffix(
                    "https://kinto.example.com/services/hello/staging/releases/7")
                    == true, "\(fields)")
            if kind == .status { #expect(fields["ref"] as? String == "v1") }
        }
    }

    @Test func bitbucketGetsALinkThatItTakes() throws {
        let commit = String(repeating: "a", count: 40)
        for link in [nil, "http://localhost:7780/x", "http://intranet/x"] as [String?] {
            #expect(
                try fields(try report(.bitbucket, .failed, link: link))["url"]
                    == "https://bitbucket.org/team/some.repo/commits/\(commit)")
        }
        #expect(try fields(try report(.bitbucket, .failed))["url"] == "https://kinto.example.com/x")
        for repository in [
            "https://forge.example.com/scm/team/repo.git", "ssh://git@forge.example.com:7999/team/repo.git",
        ] {
            #expect(
                try fields(try report(.bitbucketServer, .failed, link: nil, repository: repository))["url"]
                    == "https://forge.example.com/projects/team/repos/repo/commits/\(commit)")
        }
    }

    @Test func theAddressOfTheForgeIsThatOfTheRepository() throws {
        let sha = String(repeating: "a", count: 40)
        for (provider, repository, url) in [
            (
                Provider.github, "git@github.com:team/repo.git",
                "https://api.github.com/repos/team/repo/statuses/\(sha)"
            ),
            (
                .github, "https://github.example.com/team/repo",
                "https://github.example.com/api/v3/repos/team/repo/statuses/\(sha)"
            ),
            (
                .gitea, "https://git.example.com:3000/team/repo.git",
                "https://git.example.com:3000/api/v1/repos/team/repo/statuses/\(sha)"
            ),
            (
                .forgejo, "ssh://git@codeberg.org:2222/team/repo.git",
                "https://codeberg.org/api/v1/repos/team/repo/statuses/\(sha)"
            ),
            (
                .gitlab, "https://gitlab.com/group/sub/repo.git",
                "https://gitlab.com/api/v4/projects/group%2Fsub%2Frepo/statuses/\(sha)"
            ),
            (
                .bitbucket, "git@bitbucket.org:team/repo.git",
                "https://api.bitbucket.org/2.0/repositories/team/repo/commit/\(sha)/statuses/build"
            ),
            (
                .bitbucketServer, "https://bb.example.com/scm/team/repo.git",
                "https://bb.example.com/rest/api/latest/projects/team/repos/repo/commits/\(sha)/builds"
            ),
        ] { #expect(try report(provider, .failed, repository: repository).request()?.url == url) }
        let server = try report(
            .bitbucketServer, .failed, repository: "ssh://git@bb.example.com:7999/~user/repo.git")
        #expect(
            server.request()?.url
                == "https://bb.example.com/rest/api/latest/projects/~user/repos/repo/commits/\(sha)/builds")
        #expect(server.olderRequest()?.url == "https://bb.example.com/rest/build-status/1.0/commits/\(sha)")
        #expect(try report(.github, .failed).olderRequest() == nil)
    }

    @Test func whatGitLabHasAlreadyIsKnown() {
        func answer(_ status: Int, _ body: String) -> HTTPClient.Response {
            HTTPClient.Response(status: status, body: Array(body.utf8))
        }
        let known = #"{"message":"Cannot transition status via :run from :running (Reason(s): …)"}"#
        #expect(StatusReport.isKnown(answer(400, known), to: .gitlab))
        #expect(!StatusReport.isKnown(answer(400, known), to: .github))
        #expect(!StatusReport.isKnown(answer(400, #"{"message":"bad"}"#), to: .gitlab))
        #expect(!StatusReport.isKnown(answer(404, known), to: .gitlab))
    }
}
