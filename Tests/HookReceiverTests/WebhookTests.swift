// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import KintoCore
import Testing
import Wire

@testable import HookReceiver

/// Signatures and events of all providers, on payloads that they sent.
struct WebhookTests {
    private let index = PayloadIndex.shared

    private func environment(_ branch: String) throws -> RegisteredEnvironment {
        RegisteredEnvironment(target: Target(service: try ServiceName("hello")), branch: branch)
    }

    /// Scenario 21.
    @Test(arguments: PayloadIndex.shared.payloads.indices)
    func everyPayloadGetsTheDecisionOfItsIndex(number: Int) throws {
        let payload = index.payloads[number]
        let delivery = index.delivery(payload)
        #expect(WebhookSignature.isValid(delivery, payload.sender, secrets: [index.secret]))
        let event = try ForgeEvent.read(delivery, payload.sender)
        #expect(event.identifier == "d-1")
        let branch = payload.ref.map { String($0.dropFirst("refs/heads/".count)) } ?? "main"
        switch payload.decision {
        case "deploy_if_branch_is_tracked":
            guard case .deploy(let change) = DeliveryDecision(event, for: try environment(branch)) else {
                Issue.record("\(payload.file) is not deployed")
                return
            }
            #expect(change.reference == payload.ref)
            #expect(change.commit?.description == payload.afterCommit)
            guard case .ignore = DeliveryDecision(event, for: try environment("another")) else {
                Issue.record("\(payload.file) is deployed for another branch")
                return
            }
        case "ignore_unless_tags_enabled":
            guard case .ignore(let reason, _) = DeliveryDecision(event, for: try environment("main")) else {
                Issue.record("\(payload.file) is deployed")
                return
            }
            #expect(reason.contains("is not deployed: production deploys branch 'main'"))
            #expect(event.changes.first?.tag != nil)
            #expect(event.changes.first?.commit?.description == payload.afterCommit)
        default:
            guard case .ignore = DeliveryDecision(event, for: try environment(branch)) else {
                Issue.record("\(payload.file) is deployed")
                return
            }
            if payload.deleted == true, !event.changes.isEmpty {
                #expect(event.changes == [RefChange(reference: payload.ref!, commit: nil, isRemoved: true)])
            }
        }
    }

    /// Scenario 22.
    @Test(arguments: PayloadIndex.shared.payloads.indices)
    func aChangedByteAnotherSecretOrNoSignatureIsRefused(number: Int) throws {
        let payload = index.payloads[number]
        let secrets = [index.secret]
        let other = index.delivery(payload, secret: "another-secret-of-16")
        #expect(!WebhookSignature.isValid(other, payload.sender, secrets: secrets))
        #expect(WebhookSignature.isValid(other, payload.sender, secrets: secrets + ["another-secret-of-16"]))
        #expect(!WebhookSignature.isValid(index.delivery(payload, secret: ""), payload.sender, secrets: [""]))
        let right = index.headers(
            payload.provider, event: "push", body: payload.body, secret: index.secret)
        #expect(
            !WebhookSignature.isValid(
                IncomingDelivery([("Content-Type", "application/json")], body: payload.body), payload.sender,
                secrets: secrets))
        // A token does not sign the body.
        if payload.sender != .gitlab {
            #expect(
                !WebhookSignature.isValid(
                    IncomingDelivery(right, body: payload.body + [0x20]), payload.sender, secrets: secrets))
        }
        // Each header twice: two readers could take another one each.
        #expect(
            !WebhookSignature.isValid(
                IncomingDelivery(right + right, body: payload.body), payload.sender, secrets: secrets))
    }

    @Test(arguments: PayloadIndex.shared.signatureVectors.indices)
    func everyVectorIsAcceptedOrRefused(number: Int) throws {
        let vector = index.signatureVectors[number]
        var body = vector.body.map { Array($0.utf8) } ?? PayloadIndex.read(vector.file!)
        if vector.contentType != nil { body = PayloadIndex.form(body) }
        var headers = (vector.headers ?? [:]).map { ($0.key, $0.value) }
        if let header = vector.header, let value = vector.value { headers.append((header, value)) }
        headers.append(("Content-Type", vector.contentType ?? "application/json"))
        let provider = vector.provider.flatMap { Provider(rawValue: $0) } ?? .github
        let secrets = [vector.signingToken ?? vector.secret ?? index.secret]
        let delivery = IncomingDelivery(headers, body: body)
        switch vector.name {
        case "github documented vector", "uppercase hex digest",
            "github form-encoded: HMAC is over the raw form body",
            "gitea/forgejo/gogs form-encoded: HMAC is over the JSON text in payload, not over the form body":
            #expect(WebhookSignature.isValid(delivery, provider, secrets: secrets), "\(vector.name)")
        case "gitlab signing token (Standard Webhooks)":
            // Right when it was sent, and too old now.
            let then = Timestamp(milliseconds: 1_674_087_231_000)
            #expect(WebhookSignature.isValid(delivery, provider, secrets: secrets, now: then))
            for seconds in [301, -301] as [Int64] {
                let other = Timestamp(milliseconds: then.milliseconds + seconds * 1000)
                #expect(!WebhookSignature.isValid(delivery, provider, secrets: secrets, now: other))
            }
            #expect(!WebhookSignature.isValid(delivery, provider, secrets: secrets))
        default: #expect(!WebhookSignature.isValid(delivery, provider, secrets: secrets), "\(vector.name)")
        }
    }

    @Test func aProviderIsNeverPickedByTheSender() throws {
        let payload = try #require(index.payloads.first { $0.file == "gitea-push.json" })
        // It sends GitHub's headers and signature, too: they count only where GitHub is set.
        for provider in Provider.allCases {
            let isValid = WebhookSignature.isValid(index.delivery(payload), provider, secrets: [index.secret])
            #expect(
                isValid == [.gitea, .forgejo, .gogs, .github, .generic].contains(provider), "\(provider)")
        }
        let token = IncomingDelivery([("X-Gitlab-Token", index.secret)], body: payload.body)
        for provider in Provider.allCases where provider != .gitlab {
            #expect(!WebhookSignature.isValid(token, provider, secrets: [index.secret]), "\(provider)")
        }
    }

    @Test func aSigningTokenOfGitLabMakesThePlainTokenWorthless() {
        let secret = "whsec_dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q="
        let body = Array("{}".utf8)
        #expect(
            !WebhookSignature.isValid(
                IncomingDelivery([("X-Gitlab-Token", secret)], body: body), .gitlab, secrets: [secret]))
    }

    @Test func genericTakesOneOfThreeSchemesAndNeverTwoAtOnce() {
        let secret = "a generic secret", body = Array(#"{"branch":"main"}"#.utf8)
        let key = SymmetricKey(data: Array(secret.utf8))
        let digest = hexadecimal(HMAC<SHA256>.authenticationCode(for: body, using: key))
        let time = "\(Timestamp.now.milliseconds / 1000)"
        let signed = Data(
            HMAC<SHA256>.authenticationCode(
                for: Array("id-1.\(time).".utf8) + body, using: key)
        ).base64EncodedString()
        let standard = [
            ("webhook-id", "id-1"), ("webhook-timestamp", time),
            ("webhook-signature", "v1,AAAA v1,\(signed)"),
        ]
        let schemes: [[(String, String)]] = [
            [("X-Signature", "sha256=\(digest)")], [("X-Hub-Signature-256", "sha256=\(digest)")],
            [("Authorization", "Bearer \(secret)")], standard,
        ]
        func isValid(_ fields: [(String, String)]) -> Bool {
            WebhookSignature.isValid(IncomingDelivery(fields, body: body), .generic, secrets: [secret])
        }
        for (number, scheme) in schemes.enumerated() {
            #expect(isValid(scheme))
            for other in schemes[(number + 1)...] { #expect(!isValid(scheme + other)) }
        }
        #expect(!isValid([("Authorization", "Basic \(secret)")]))
        #expect(!isValid([("Authorization", "Bearer \(secret)x")]))
        #expect(!isValid(standard.map { ($0.0, $0.0 == "webhook-id" ? "id-2" : $0.1) }))
        #expect(!isValid([("X-Signature", "md5=\(digest)")]))
    }

    private func read(
        _ text: String, _ provider: Provider, event: String? = nil, type: String = "application/json"
    )
        throws -> ForgeEvent
    {
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
        let usual =
            switch provider {
            case .gitlab: "Push Hook"
            case .bitbucket: "repo:push"
            case .bitbucketServer: "repo:refs_changed"
            default: "push"
            }
        return try ForgeEvent.read(
            IncomingDelivery([(field, event ?? usual), ("Content-Type", type)], body: Array(text.utf8)),
            provider)
    }

    private static let commit = String(repeating: "ab", count: 20)

    @Test func severalChangesInOneEventAreEachRead() throws {
        let one = String(repeating: "1", count: 40), two = String(repeating: "2", count: 40)
        let event = try read(
            """
            {"push":{"changes":[
                {"new":{"type":"branch","name":"feature","target":{"hash":"\(one)"}},"old":null},
                {"new":{"type":"branch","name":"main","target":{"hash":"\(two)","message":"x"}},"forced":true},
                {"new":null,"old":{"type":"branch","name":"old"}},
                {"new":{"type":"annotated_tag","name":"v1","target":{"hash":"\(one)"}}}]}}
            """, .bitbucket)
        #expect(
            event.changes.map(\.reference) == [
                "refs/heads/feature", "refs/heads/main", "refs/heads/old", "refs/tags/v1",
            ])
        guard case .deploy(let change) = DeliveryDecision(event, for: try environment("main")) else {
            Issue.record("not deployed")
            return
        }
        #expect(change == RefChange(reference: "refs/heads/main", commit: CommitID(two), isForced: true))
        #expect(
            DeliveryDecision(event, for: try environment("old"))
                == .ignore(reason: "branch 'old' was deleted; what runs stays", reference: "refs/heads/old"))
        guard case .ignore(let reason, _) = DeliveryDecision(event, for: try environment("else")) else {
            Issue.record("deployed")
            return
        }
        #expect(reason.contains("none of the 4 changes"))
    }

    @Test func pingsAndOtherEventsAreIgnored() throws {
        #expect(try read("{}", .github, event: "ping").ignored == "ping")
        #expect(try read(#"{"test":true}"#, .bitbucketServer, event: "diagnostics:ping").ignored == "ping")
        #expect(try read(#"{"test":true}"#, .bitbucketServer).ignored == "ping")
        for (provider, event) in [
            (Provider.github, "issues"), (.gitea, "create"), (.forgejo, "delete"), (.gogs, "release"),
            (.gitlab, "Note Hook"), (.bitbucket, "issue:created"), (.bitbucketServer, "pr:modified"),
            (.generic, "x"),
            (.github, ""),
        ] {
            #expect(
                try read("not even JSON", provider, event: event).ignored?.contains("deploys nothing") == true
            )
        }
        #expect(
            try read(#"{"object_kind":"project_create"}"#, .gitlab, event: "System Hook").ignored
                == "event 'project_create' deploys nothing")
        let system = #"{"object_kind":"push","ref":"refs/heads/main","checkout_sha":"\#(Self.commit)"}"#
        #expect(try read(system, .gitlab, event: "System Hook").changes.count == 1)
    }

    @Test func skipMarkersOfTheNewestCommitCount() throws {
        let other = String(repeating: "cd", count: 20)
        for (text, provider) in [
            (
                #"{"ref":"refs/heads/main","after":"\#(Self.commit)","head_commit":{"message":"x [skip ci]"}}"#,
                Provider.github
            ),
            (
                #"{"ref":"refs/heads/main","after":"\#(Self.commit)","checkout_sha":"\#(Self.commit)","commits":[{"id":"\#(other)","message":"y"},{"id":"\#(Self.commit)","message":"[Skip Deploy] x"}]}"#,
                .gitlab
            ),
            (
                #"{"ref":"refs/heads/main","after":"\#(Self.commit)","commits":[{"id":"\#(Self.commit)","message":"[ci skip]"}]}"#,
                .gogs
            ),
            (
                #"{"push":{"changes":[{"new":{"type":"branch","name":"main","target":{"hash":"\#(Self.commit)","message":"[skip cd]"}}}]}}"#,
                .bitbucket
            ),
            (
                #"{"changes":[{"ref":{"id":"refs/heads/main"},"toHash":"\#(Self.commit)"}],"toCommit":{"id":"\#(Self.commit)","message":"[skip ci]"}}"#,
                .bitbucketServer
            ),
            (#"{"branch":"main","commit":"\#(Self.commit)","message":"[skip ci]"}"#, .generic),
        ] {
            guard
                case .ignore(let reason, _) = DeliveryDecision(
                    try read(text, provider), for: try environment("main"))
            else {
                Issue.record("deployed: \(text)")
                continue
            }
            #expect(reason.hasPrefix("the commit says ["))
        }
        // An older commit says nothing about the newest.
        let older =
            #"{"ref":"refs/heads/main","after":"\#(Self.commit)","commits":[{"id":"\#(other)","message":"[skip ci]"}]}"#
        guard case .deploy = DeliveryDecision(try read(older, .gitea), for: try environment("main")) else {
            Issue.record("not deployed")
            return
        }
    }

    @Test func genericNeedsNothingButASignature() throws {
        for (text, wanted) in [
            ("", RefChange(reference: "refs/heads/main", commit: nil)),
            ("{}", RefChange(reference: "refs/heads/main", commit: nil)),
            (#"{"branch":"main"}"#, RefChange(reference: "refs/heads/main", commit: nil)),
            (
                #"{"ref":"refs/heads/main","sha":"\#(Self.commit)"}"#,
                RefChange(reference: "refs/heads/main", commit: CommitID(Self.commit))
            ),
        ] {
            #expect(
                DeliveryDecision(try read(text, .generic), for: try environment("main")) == .deploy(wanted))
        }
    }

    /// What forges change, leave out or say twice, and what nobody sends but who means harm.
    @Test(arguments: Provider.allCases)
    func whatIsNoPushIsRefusedAndNeverDeployed(provider: Provider) throws {
        let zero = String(repeating: "0", count: 64)
        for text in [
            "null", "[]", "5", "\"x\"", "\u{FEFF}", "{",
            #"{"ref":null,"push":null,"changes":null,"after":null}"#,
            #"{"ref":5,"branch":5,"after":"x","push":5,"changes":5}"#,
            #"{"ref":"refs/heads/main","after":5,"commit":"x","push":{"changes":"boom"},"changes":{}}"#,
            #"{"ref":"refs/heads/a\nb","after":"\#(Self.commit)","push":{"changes":[null]},"changes":[null]}"#,
            #"{"ref":"--upload-pack=x y","after":"\#(Self.commit)","push":{"changes":[{}]},"changes":[{}]}"#,
            String(repeating: "[", count: 100_000), String(repeating: #"{"a":"#, count: 100_000),
            #"{"ref":"\ud800","after":"1e9999","push":[1e9999],"changes":123456789012345678901234567890}"#,
        ] {
            do {
                let event = try read(text, provider)
                // Read at most as something that changes nothing that is tracked.
                guard case .ignore = DeliveryDecision(event, for: try environment("main")) else {
                    Issue.record("\(provider) deploys \(text.prefix(80))")
                    continue
                }
            } catch let failure as Failure { #expect(failure.code == "malformed") }
        }
        let removed = try? read(
            #"{"ref":"refs/heads/main","after":"\#(zero)","push":{"changes":[{"new":null,"old":{"type":"branch","name":"main"}}]},"changes":[{"refId":"refs/heads/main","toHash":"\#(zero)"}]}"#,
            provider)
        #expect(removed?.changes == [RefChange(reference: "refs/heads/main", commit: nil, isRemoved: true)])
    }

    @Test func formsAreReadOnlyWhereTheyAreSent() throws {
        let text = #"{"ref":"refs/heads/main","after":"\#(Self.commit)"}"#
        let form = String(decoding: PayloadIndex.form(Array(text.utf8)), as: UTF8.self)
        for provider in Provider.allCases {
            let event = try? read(form, provider, type: "application/x-www-form-urlencoded")
            #expect((event != nil) == [.github, .gitea, .forgejo, .gogs].contains(provider), "\(provider)")
        }
        for bad in ["", "x=1", "payload=%7", "payload=%zz", "\(form)&\(form)"] {
            #expect(throws: Failure.self) {
                try read(bad, .github, type: "application/x-www-form-urlencoded")
            }
        }
        #expect(throws: Failure.self) { try read(text, .github, type: "text/plain") }
        #expect(try read(text, .github, type: "Application/JSON; charset=utf-8").changes.count == 1)
    }

    @Test func theOperatorIsToldTheCause() throws {
        func service(_ provider: Provider, _ secret: String = "the-service's-own-secret") throws
            -> RegisteredService
        {
            RegisteredService(
                name: try ServiceName("hello"), source: .remote, repository: "", createdAt: .now,
                provider: provider, webhookSecret: secret,
                previousSecret: .init(value: "the-secret-before-it", until: Timestamp(milliseconds: 5)))
        }
        func explain(_ file: String, signed secret: String, _ service: RegisteredService?) throws -> String {
            let payload = try #require(index.payloads.first { $0.file == file })
            let other = RegisteredService(
                name: try ServiceName("other"), source: .remote, repository: "", createdAt: .now,
                provider: .gitea, webhookSecret: "the-secret-of-another")
            return RefusalCause.explain(
                index.delivery(payload, secret: secret), service,
                others: [other] + (service.map { [$0] } ?? []))
        }
        let push = "github-push-main-organization.json"
        #expect(try explain(push, signed: "x", nil) == "there is no service of that name")
        #expect(
            try explain(push, signed: "the-secret-of-another", service(.github))
                == "signed with the secret of service 'other'")
        #expect(
            try explain(push, signed: "the-secret-before-it", service(.github)).hasPrefix(
                "signed with the secret before the present one, which ended at 1970-"))
        #expect(
            try explain(
                "gitlab-push-branch-update.json", signed: "the-service's-own-secret", service(.github)
            )
            .hasPrefix("the secret is right, but it was sent by GitLab and the service's provider is github"))
        #expect(
            try explain(push, signed: "something else", service(.github))
                == "signed with another secret than the service's")
        let bare = IncomingDelivery([("X-GitHub-Event", "push")], body: [])
        #expect(
            RefusalCause.explain(bare, try service(.github), others: [])
                == "no signature (x-hub-signature-256): enter the secret at GitHub")
    }

    @Test func providersAreGuessedFromAddresses() {
        for (host, path, wanted) in [
            ("github.com", "/a/b", Provider.github), ("github.example.com", "", .github), ("", "", .github),
            ("gitlab.com", "", .gitlab), ("gitlab.example.com", "", .gitlab), ("codeberg.org", "", .forgejo),
            ("forgejo.example.com", "", .forgejo), ("gitea.example.com", "", .gitea),
            ("gogs.local", "", .gogs),
            ("bitbucket.org", "", .bitbucket), ("bitbucket.example.com", "", .bitbucketServer),
            ("git.example.com", "/scm/prj/repo.git", .bitbucketServer),
            ("git.example.com", "/a/b.git", .generic),
            ("notgithub.com", "", .generic),
        ] { #expect(Provider(guessing: host, path: path) == wanted, "\(host)") }
    }

    private func push(_ references: [String], _ options: [String] = []) throws -> PushRequest {
        var fields = Fields()
        fields.add("id", "1")
        for (index, reference) in references.enumerated() {
            let isRemoved = reference.hasPrefix("-")
            let commit = String(repeating: isRemoved ? "00" : "a\(index)", count: 20)
            fields.add(
                "update",
                "\(String(repeating: "1", count: 40)) \(commit) \(isRemoved ? String(reference.dropFirst()) : reference)"
            )
        }
        for option in options { fields.add("option", option) }
        return try PushRequest(fields)
    }

    private func environments() throws -> [RegisteredEnvironment] {
        try [("production", "main"), ("qa", "tags/v*"), ("review", "feature/**")].map { name, branch in
            RegisteredEnvironment(
                target: Target(service: try ServiceName("hello"), environment: try EnvironmentName(name)),
                branch: branch)
        }
    }

    @Test func pushPlanNamesWhatIsIgnored() throws {
        let plan = try push(["refs/heads/main", "refs/heads/feature", "refs/tags/v1"]).plan(
            for: [environment("main")])
        #expect(plan.deploys.map(\.update.reference) == ["refs/heads/main"])
        #expect(plan.notes.count == 2)
    }

    @Test func aPushDeploysEachEnvironmentThatItFitsOnce() throws {
        func deploys(_ references: [String], _ options: [String] = []) throws -> [String] {
            try push(references, options).plan(for: environments()).deploys.map {
                "\($0.environment.target.environment) \($0.update.reference)"
            }
        }
        let all = ["refs/heads/feature/a", "refs/heads/main", "refs/tags/v1", "refs/heads/feature/b/c"]
        #expect(
            try deploys(all) == [
                "review refs/heads/feature/b/c", "production refs/heads/main", "qa refs/tags/v1",
            ])
        #expect(try deploys(all, ["env=qa"]) == ["qa refs/tags/v1"])
        #expect(try deploys(all, ["env=none"]).isEmpty)
        #expect(try deploys(all, ["skip"]).isEmpty)
        #expect(try deploys(["-refs/heads/main", "-refs/tags/v1", "refs/heads/v1"]).isEmpty)
        let notes = try push(all).plan(for: environments()).notes
        #expect(notes.count == 1)
        #expect(notes.first?.contains("ignored branch 'feature/a': review deploys one ref of a push") == true)
    }

    @Test func whatIsProtectedOrOffIsNamedAndNotDeployed() throws {
        var environments = try environments()
        environments[0].isProtected = true
        environments[1].autoDeploy = false
        let plan = try push(["refs/heads/main", "refs/tags/v1", "refs/heads/feature/a"]).plan(
            for: environments)
        #expect(plan.deploys.map(\.environment.target.environment.description) == ["review"])
        #expect(
            plan.refused.compactMap(\.obstacle?.way.command) == [
                "kinto deploy hello --confirm hello/production", "kinto deploy hello -e qa",
            ])
    }

    @Test func aDeliveryIsDecidedOnForEachEnvironmentThatItIsAbout() throws {
        func decide(_ changes: [RefChange]) throws -> [String] {
            let event = ForgeEvent(name: "push", identifier: "1", changes: changes, ignored: nil)
            return DeliveryDecision.all(event, for: try environments()).map { environment, decision in
                switch decision {
                case .deploy(let change): "\(environment.target.environment) \(change.reference)"
                case .ignore(let reason, _): "\(environment.target.environment): \(reason)"
                }
            }
        }
        let commit = CommitID(String(repeating: "ab", count: 20))
        func change(_ reference: String, isRemoved: Bool = false) -> RefChange {
            RefChange(reference: reference, commit: isRemoved ? nil : commit, isRemoved: isRemoved)
        }
        #expect(
            try decide([
                change("refs/heads/feature/a"), change("refs/tags/v2"),
                change("refs/heads/feature/old", isRemoved: true),
            ]) == ["qa refs/tags/v2", "review refs/heads/feature/a"])
        // No branch is named: production's is meant.
        #expect(try decide([RefChange(reference: "", commit: commit)]) == ["production refs/heads/main"])
        #expect(
            try decide([change("refs/heads/else")]) == [
                "production: branch 'else' is not deployed: production deploys branch 'main', qa deploys tags 'v*', review deploys branches 'feature/**'"
            ])
        #expect(
            try decide([change("refs/tags/v2", isRemoved: true)]) == [
                "qa: tag 'v2' was deleted; what runs stays"
            ])
    }
}
