// SPDX-License-Identifier: Apache-2.0
import KintoCore
import TestSupport
import Testing

@testable import HookReceiver

/// Tags, as each forge tells of them.
struct TagTests {
    private static let commit = String(repeating: "ab", count: 20)
    private static let object = String(repeating: "cd", count: 20)

    private func read(_ payload: TagPayload, _ body: String? = nil) throws -> ForgeEvent {
        try ForgeEvent.read(
            IncomingDelivery(
                [(payload.event.name, payload.event.value), ("Content-Type", "application/json")],
                body: Array((body ?? payload.body).utf8)),
            try #require(Provider(rawValue: payload.provider)))
    }

    private func environments() throws -> [RegisteredEnvironment] {
        let service = try ServiceName("hello")
        return try [("production", "main"), ("qa", "tags/v*")].map { name, branch in
            RegisteredEnvironment(
                target: Target(service: service, environment: try EnvironmentName(name)), branch: branch)
        }
    }

    @Test(arguments: TagPayload.pushed("v1", object: object, commit: commit).indices)
    func aTagDeploysWhatFitsItAndNothingElse(index: Int) throws {
        let payload = TagPayload.pushed("v1.0", object: Self.object, commit: Self.commit)[index]
        let event = try read(payload)
        let decisions = DeliveryDecision.all(event, for: try environments())
        #expect(decisions.map { "\($0.environment.target)" } == ["hello/qa"])
        guard case .deploy(let change)? = decisions.first?.decision else {
            Issue.record("\(payload.provider) is not deployed: \(decisions)")
            return
        }
        #expect(change.reference == "refs/tags/v1.0")
        #expect(change.commit?.description == (payload.namesCommit ? Self.commit : Self.object))
        let other = try read(TagPayload.pushed("w1", object: Self.object, commit: Self.commit)[index])
        guard case .ignore = DeliveryDecision.all(other, for: try environments()).first?.decision else {
            Issue.record("\(payload.provider): another tag is deployed")
            return
        }
    }

    @Test(arguments: TagPayload.removed("v1.0", commit: commit).indices)
    func aTagThatIsRemovedDeploysNothing(index: Int) throws {
        let payload = TagPayload.removed("v1.0", commit: Self.commit)[index]
        let event = try read(payload)
        #expect(event.changes == [RefChange(reference: "refs/tags/v1.0", commit: nil, isRemoved: true)])
        guard
            case .ignore(let reason, _)? = DeliveryDecision.all(event, for: try environments()).first?
                .decision
        else {
            Issue.record("\(payload.provider) is deployed")
            return
        }
        #expect(reason == "tag 'v1.0' was deleted; what runs stays")
    }

    @Test func ofBranchesGogsTellsByPushesAlone() throws {
        let payload = try #require(
            TagPayload.pushed("v1", object: Self.object, commit: Self.commit).first { $0.provider == "gogs" })
        let branch = try read(payload, payload.body.replacing(#""tag""#, with: #""branch""#))
        #expect(branch.changes.isEmpty && branch.ignored != nil)
        for (old, new) in [
            (#""tag""#, #""else""#), (#""ref_type""#, #""no""#), (#""sha""#, #""no""#),
            (#""ref":"v1""#, #""ref":7"#),
            (#""ref":"v1""#, #""ref":"v 1""#),
        ] {
            #expect(throws: Failure.self) { try read(payload, payload.body.replacing(old, with: new)) }
        }
    }

    /// `tags/v1` is a tag wherever kinto's own notation is meant, and a branch where a branch is named.
    @Test func aGenericSenderNamesTagsAsEnvironmentsDo() throws {
        for (body, reference) in [
            (#"{"ref":"tags/v1"}"#, "refs/tags/v1"), (#"{"branch":"tags/v1"}"#, "refs/heads/tags/v1"),
            (#"{"ref":"main"}"#, "refs/heads/main"), (#"{"branch":"refs/tags/v1"}"#, "refs/tags/v1"),
        ] {
            let payload = TagPayload.pushed("v1", object: Self.object, commit: Self.commit).last
            #expect(try read(try #require(payload), body).changes.first?.reference == reference, "\(body)")
        }
    }

    /// A push of thousands: what environments deploy is decided on once more by a replay.
    @Test func ofManyChangesTheRecordKeepsThoseThatCount() throws {
        let changes = (0..<3000).map { number in
            RefChange(
                reference: number == 7 ? "refs/heads/main" : "refs/heads/other-\(number)",
                commit: CommitID(Self.commit))
        }
        let kept = DeliveryDecision.kept(changes, try environments())
        #expect(kept.count == 100)
        #expect(kept.first?.reference == "refs/heads/main" && kept.last?.reference == "refs/heads/other-2999")
        #expect(DeliveryDecision.kept(Array(changes.prefix(50)), []) == Array(changes.prefix(50)))
    }
}
