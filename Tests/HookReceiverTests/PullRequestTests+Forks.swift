// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Testing
import Wire

@testable import HookReceiver

/// Pull requests that are strangers'.
extension PullRequestTests {
    /// By the reference that the forge itself keeps for it in the repository.
    private static func reference(_ provider: Provider) -> String? {
        switch provider {
        case .github, .gitea, .forgejo, .gogs: "refs/pull/7/head"
        case .gitlab: "refs/merge-requests/7/head"
        case .bitbucketServer: "refs/pull-requests/7/from"
        case .bitbucket, .generic: nil
        }
    }

    @Test(arguments: forges, Step.allCases)
    func whatIsNotTheRepositorysOwnIsAStrangers(provider: Provider, step: Step) throws {
        // Also when its branch has the name of one that is there. AGit: in the repository, by anybody who may read it.
        for (source, branch, from) in [
            (2, "feature/x", "from a fork (mallory/app)"), (2, "main", "from a fork (mallory/app)"),
            (2, "a b", "from a fork (mallory/app)"), (nil, "main", "from a fork"),
            (1, "refs/pull/9/head", "of no branch of the repository"),
            (1, "", "of no branch of the repository"),
        ] as [(Int?, String, String)] {
            let told = Self.delivery(provider, step, source: source, branch: branch)
            let event = try read(provider, told.event, told.body)
            guard let reference = Self.reference(provider) else {
                #expect(event.changes.isEmpty)
                let reason = try #require(event.ignored)
                #expect(reason.hasPrefix("pull request 7 is \(from)"), "\(reason)")
                #expect(reason.hasSuffix("Bitbucket has no reference in the repository to fetch it by"))
                continue
            }
            #expect(event.ignored == nil)
            let change = try #require(event.changes.first)
            #expect(event.changes.count == 1 && change.reference == reference && change.pullRequest == 7)
            #expect(change.stranger?.hasPrefix(from) == true, "\(change)")
            #expect(change.isRemoved == step.isEnd)
            let again = try JSONDecoder().decode(RefChange.self, from: JSONEncoder().encode(change))
            #expect(again == change)
        }
    }

    @Test(arguments: forges, [1, 2])
    func aNumberThatIsNoneIsRefused(provider: Provider, source: Int) throws {
        let told = Self.delivery(provider, .opened, source: source)
        for number in [
            "0", "-7", "7.5", "99999999999999999999", "1e400", #""7""#, #""7/head:refs/heads/main""#, "null",
            "[7]",
        ] {
            let body = told.body.replacing(
                try Regex(#""(number|iid|id)":7"#), with: { "\"\($0[1].substring ?? "")\":\(number)" })
            #expect(body != told.body)
            #expect(throws: Failure.self, "\(number)") { try read(provider, told.event, body) }
        }
        // As large as a number can be.
        let body = told.body.replacing(":7", with: ":\(Int.max)")
        let event = try read(provider, told.event, body)
        #expect((event.changes.first?.pullRequest == Int.max) == (event.ignored == nil), "\(event)")
    }

    /// Only an event of the pull request leads to it: neither a push that has the reference's name, nor a branch of that name.
    @Test(arguments: forges)
    func noPushDeploysAStrangers(provider: Provider) throws {
        guard let reference = Self.reference(provider) else { return }
        let preview = RegisteredEnvironment(
            target: Target(
                service: try ServiceName("hello"), environment: try EnvironmentName("preview-pr-7")),
            branch: reference, previewUntil: .now)
        let commit = try #require(CommitID(Self.commit))
        func decided(_ change: RefChange) -> Bool {
            let event = ForgeEvent(name: "push", identifier: nil, changes: [change], ignored: nil)
            return DeliveryDecision.all(event, for: [preview]).contains {
                if case .deploy = $0.decision { true } else { false }
            }
        }
        #expect(decided(RefChange(reference: reference, commit: commit, pullRequest: 7, stranger: "x")))
        for other in [reference, "refs/heads/\(reference)", ""] {
            #expect(!decided(RefChange(reference: other, commit: commit)), "\(other)")
        }
        var fields = Fields()
        fields.add("id", "1")
        for other in [reference, "refs/heads/\(reference)"] {
            fields.add("update", "\(String(repeating: "0", count: 40)) \(Self.commit) \(other)")
        }
        #expect(try PushRequest(fields).plan(for: [preview]).deploys.isEmpty)
    }
}
