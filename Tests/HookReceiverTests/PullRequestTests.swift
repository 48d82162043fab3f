// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Testing
import Wire

@testable import HookReceiver

/// Pull requests, in the shapes in which each forge tells of them: GitHub by its examples (octokit/webhooks), GitLab by "Merge
/// request events", Gitea and Forgejo by `services/convert/pull.go`, Gogs by `APIFormat`, Bitbucket by "Event payloads".
struct PullRequestTests {
    static let commit = String(repeating: "ab", count: 20)

    enum Step: CaseIterable {
        case opened, reopened, updated, closed, merged
        var isEnd: Bool { self == .closed || self == .merged }
    }

    /// - Parameter source: the number of the repository that it comes from; that of the base is 1. nil: it is gone.
    static func delivery(
        _ provider: Provider, _ step: Step, source: Int? = 1, branch: String = "feature/x"
    ) -> (event: String, body: String) {
        let name = source == 1 ? "team/app" : "mallory/app"
        switch provider {
        case .github, .gitea, .forgejo:
            let action =
                switch step {
                case .opened: "opened"
                case .reopened: "reopened"
                case .updated: provider == .github ? "synchronize" : "synchronized"
                case .closed, .merged: "closed"
                }
            let repository = source.map { #"{"id":\#($0),"full_name":"\#(name)"}"# } ?? "null"
            return (
                "pull_request",
                """
                {"action":"\(action)","number":7,"pull_request":{"number":7,"state":"\(step.isEnd ? "closed" : "open")",
                 "merged":\(step == .merged),"head":{"label":"x","ref":"\(branch)","sha":"\(commit)","repo":\(repository)},
                 "base":{"ref":"main","sha":"\(commit)","repo":{"id":1,"full_name":"team/app"}}},
                 "repository":{"id":1,"full_name":"team/app"}}
                """
            )
        case .gogs:
            let action =
                switch step {
                case .opened: "opened"
                case .reopened: "reopened"
                case .updated: "synchronized"
                case .closed, .merged: "closed"
                }
            let repository = source.map { #"{"id":\#($0),"full_name":"\#(name)"}"# } ?? "null"
            return (
                "pull_request",
                """
                {"action":"\(action)","number":7,"pull_request":{"number":7,"head_branch":"\(branch)",
                 "head_repo":\(repository),"base_branch":"main","base_repo":{"id":1,"full_name":"team/app"},
                 "merged":\(step == .merged)}}
                """
            )
        case .gitlab:
            let action =
                switch step {
                case .opened: "open"
                case .reopened: "reopen"
                case .updated: "update"
                case .closed: "close"
                case .merged: "merge"
                }
            let old = step == .updated ? #""oldrev":"\#(String(repeating: "cd", count: 20))","# : ""
            return (
                "Merge Request Hook",
                """
                {"object_kind":"merge_request","object_attributes":{"id":99,"iid":7,\(old)"action":"\(action)",
                 "source_branch":"\(branch)","target_branch":"main","source_project_id":\(source.map { "\($0)" } ?? "null"),
                 "target_project_id":1,"source":{"path_with_namespace":"\(name)"},
                 "last_commit":{"id":"\(commit)","message":"x"}}}
                """
            )
        case .bitbucket:
            let event =
                switch step {
                case .opened: "pullrequest:created"
                case .reopened, .updated: "pullrequest:updated"
                case .closed: "pullrequest:rejected"
                case .merged: "pullrequest:fulfilled"
                }
            let repository = source.map { #"{"uuid":"{\#($0)}","full_name":"\#(name)"}"# } ?? "null"
            return (
                event,
                """
                {"pullrequest":{"id":7,"state":"OPEN","source":{"branch":{"name":"\(branch)"},
                 "commit":{"hash":"\(commit.prefix(12))"},"repository":\(repository)},
                 "destination":{"branch":{"name":"main"},"repository":{"uuid":"{1}","full_name":"team/app"}}}}
                """
            )
        case .bitbucketServer:
            let event =
                switch step {
                case .opened, .reopened: "pr:opened"
                case .updated: "pr:from_ref_updated"
                case .closed: "pr:declined"
                case .merged: "pr:merged"
                }
            let repository =
                source.map {
                    #"{"id":\#($0),"slug":"app","project":{"key":"\#(name.prefix { $0 != "/" })"}}"#
                }
                ?? "null"
            let full = branch.hasPrefix("refs/") ? branch : "refs/heads/\(branch)"
            return (
                event,
                """
                {"eventKey":"\(event)","pullRequest":{"id":7,"fromRef":{"id":"\(full)","displayId":"x",
                 "latestCommit":"\(commit)","repository":\(repository)},
                 "toRef":{"id":"refs/heads/main","repository":{"id":1,"slug":"app","project":{"key":"team"}}}}}
                """
            )
        case .generic: return ("pull_request", "{}")
        }
    }

    func read(_ provider: Provider, _ event: String, _ body: String) throws -> ForgeEvent {
        let field =
            switch provider {
            case .github: "X-GitHub-Event"
            case .gitlab: "X-Gitlab-Event"
            case .gitea: "X-Gitea-Event"
            case .forgejo: "X-Forgejo-Event"
            case .gogs: "X-Gogs-Event"
            case .bitbucket, .bitbucketServer: "X-Event-Key"
            case .generic: "X-Kinto-Event"
            }
        return try ForgeEvent.read(
            IncomingDelivery([(field, event), ("Content-Type", "application/json")], body: Array(body.utf8)),
            provider)
    }

    static let forges = Provider.allCases.filter { $0 != .generic }

    @Test(arguments: forges, Step.allCases)
    func eachForgeTellsOfItsBranch(provider: Provider, step: Step) throws {
        let told = Self.delivery(provider, step)
        let event = try read(provider, told.event, told.body)
        #expect(event.ignored == nil)
        let change = try #require(event.changes.first)
        #expect(event.changes.count == 1 && event.isOfPullRequest && change.pullRequest == 7)
        #expect(change.reference == "refs/heads/feature/x")
        #expect(change.isRemoved == step.isEnd)
        // Gogs names no commit, Bitbucket the beginning of one.
        let says = !step.isEnd && provider != .gogs && provider != .bitbucket
        #expect(change.commit?.description == (says ? Self.commit : nil))
        // It is a delivery's record that a replay reads.
        let again = try JSONDecoder().decode(RefChange.self, from: JSONEncoder().encode(change))
        #expect(again == change)
    }

    @Test func whatIsNoNewCommitIsIgnored() throws {
        for (provider, from, to) in [
            (Provider.github, "opened", "labeled"), (.gitea, "opened", "edited"),
            (.gogs, "opened", "assigned"),
        ] {
            let told = Self.delivery(provider, .opened)
            let event = try read(provider, told.event, told.body.replacing(from, with: to))
            #expect(event.ignored == "pull request 7: '\(to)' deploys nothing")
        }
        let told = Self.delivery(.gitlab, .updated)
        #expect(
            try read(.gitlab, told.event, told.body.replacing("oldrev", with: "x")).ignored
                == "pull request 7: 'update' deploys nothing")
        #expect(try read(.gitlab, "System Hook", told.body).changes.count == 1)
        for (provider, name) in [
            (Provider.bitbucket, "pullrequest:approved"), (.bitbucketServer, "pr:comment:added"),
            (.bitbucketServer, "pr:modified"), (.generic, "pull_request"),
        ] {
            #expect(try read(provider, name, "{}").ignored == "event '\(name)' deploys nothing")
        }
    }

    @Test(arguments: forges)
    func whatIsNoPullRequestIsMalformed(provider: Provider) throws {
        let told = Self.delivery(provider, .opened)
        for body in [
            "{}", "[]", #"{"pull_request":7,"pullrequest":[],"pullRequest":null,"object_attributes":"x"}"#,
        ] {
            #expect(throws: Failure.self) { try read(provider, told.event, body) }
        }
        // No name of a branch, or a strange one.
        for branch in ["a b", "x\\u0007"] {
            let strange = Self.delivery(provider, .opened, branch: branch)
            let event = try? read(provider, strange.event, strange.body)
            #expect(event?.changes.isEmpty ?? true, "\(branch)")
        }
    }

    /// From somebody who has the secret: nothing traps, and what is told has the form of a branch.
    @Test(arguments: forges)
    func changedPayloadsAreReadOrRefused(provider: Provider) throws {
        let told = Step.allCases.map { Self.delivery(provider, $0) }
        var mutator = try PayloadMutator(told.map { Array($0.body.utf8) }, seed: 1)
        var changes = 0
        for run in 0..<1000 {
            let body = String(decoding: mutator.next(), as: UTF8.self)
            do {
                let event = try read(provider, told[run % told.count].event, body)
                for change in event.changes {
                    changes += 1
                    #expect((change.pullRequest ?? 0) > 0)
                    #expect((PullReference.number(change.reference) != nil) == (change.stranger != nil))
                    #expect(change.stranger != nil || change.reference.hasPrefix("refs/heads/"))
                    #expect(change.reference.hasPrefix("refs/heads/refs/") == false)
                }
                #expect(event.changes.isEmpty == (event.ignored != nil))
            } catch let failure as Failure { #expect(failure.code == "malformed") }
        }
        // It is a test of something.
        #expect(changes > 0)
    }

    @Test func previewsAloneAreDeployed() throws {
        let hello = try ServiceName("hello")
        let production = RegisteredEnvironment(target: Target(service: hello), branch: "feature/**")
        let preview = RegisteredEnvironment(
            target: Target(service: hello, environment: try EnvironmentName("preview-feature-x")),
            branch: "feature/x", previewUntil: .now)
        let told = Self.delivery(.github, .opened)
        let event = try read(.github, told.event, told.body)
        let both = DeliveryDecision.all(event, for: [production, preview])
        #expect(both.map(\.environment) == [preview])
        guard case .deploy(let change)? = both.first?.decision else {
            Issue.record("not deployed")
            return
        }
        #expect(change.commit?.description == Self.commit)
        #expect(
            DeliveryDecision.all(event, for: [production]).map(\.decision) == [
                .ignore(reason: "pull request 7 has no preview", reference: "refs/heads/feature/x")
            ])
    }
}
