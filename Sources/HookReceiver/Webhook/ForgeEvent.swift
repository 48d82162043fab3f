// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation
public import KintoCore

/// What a delivery tells, read from a request whose signature was checked. One form for all providers.
public struct ForgeEvent: Sendable, Equatable {
    /// As the provider calls it; `push` when it did not say.
    public var name: String
    /// The provider's identifier of the delivery, the same when it is sent again; nil when there is none.
    public var identifier: String?
    /// What a push changed, in its order, or the branch of a pull request; empty for other events.
    public var changes: [RefChange]
    /// Why there is nothing to do; nil for a push.
    public var ignored: String?

    public var isOfPullRequest: Bool { changes.first?.pullRequest != nil }

    public init(name: String, identifier: String?, changes: [RefChange], ignored: String?) {
        self.name = name
        self.identifier = identifier
        self.changes = changes
        self.ignored = ignored
    }

    /// - Throws: `Failure` of code `malformed` or `unsupported-media-type`.
    public static func read(_ delivery: IncomingDelivery, _ provider: Provider) throws(Failure) -> ForgeEvent
    {
        let name = name(delivery, provider)
        let identifier = identifier(delivery, provider)
        func ignored(_ reason: String) -> ForgeEvent {
            ForgeEvent(name: name, identifier: identifier, changes: [], ignored: reason)
        }
        switch kind(of: name, provider) {
        case .ping: return ignored("ping")
        case .other: return ignored("event '\(RefChange.shown(name))' deploys nothing")
        case .push, .system, .create, .delete, .pullRequest: break
        }
        let text = try PayloadText.json(delivery, provider)
        if text.isEmpty, provider == .generic {
            return ForgeEvent(name: name, identifier: identifier, changes: [.tracked], ignored: nil)
        }
        try PayloadText.checkDepth(text)
        if kind(of: name, provider) == .pullRequest {
            return try .of(PullRequest.read(text, provider, event: name), provider, name, identifier)
        }
        let changes: [RefChange]
        switch provider {
        case .bitbucket: changes = try BitbucketPayload.decode(text).changes()
        case .bitbucketServer:
            let payload = try BitbucketServerPayload.decode(text)
            if payload.isTest { return ignored("ping") }
            changes = try payload.refChanges()
        case .generic: changes = [try GenericPayload.decode(text).change()]
        case .github, .gitlab, .gitea, .forgejo, .gogs:
            let payload = try GitPayload.decode(text)
            let kind = kind(of: name, provider)
            if kind == .create || kind == .delete {
                guard let tag = try payload.tag(isRemoved: kind == .delete) else {
                    return ignored("event '\(name)' of a branch deploys nothing: its push does")
                }
                changes = [tag]
                break
            }
            if kind == .system, payload.event == "merge_request" {
                return try .of(PullRequest.read(text, provider, event: name), provider, name, identifier)
            }
            if kind == .system, !payload.isPush {
                return ignored("event '\(RefChange.shown(payload.event))' deploys nothing")
            }
            changes = [try payload.change()]
        }
        guard !changes.isEmpty else { return ignored("the push changed no branch and no tag") }
        return ForgeEvent(name: name, identifier: identifier, changes: changes, ignored: nil)
    }

    private static func of(
        _ request: PullRequest, _ provider: Provider, _ name: String, _ identifier: String?
    ) throws(Failure) -> ForgeEvent {
        if let reason = request.obstacle(provider) {
            return ForgeEvent(name: name, identifier: identifier, changes: [], ignored: reason)
        }
        return ForgeEvent(
            name: name, identifier: identifier, changes: [try request.change(provider)], ignored: nil)
    }

    private enum Kind {
        case push, ping, system, other
        /// Gogs tells of tags by these alone; all others send a push of the tag, too.
        case create, delete
        case pullRequest
    }

    private static func kind(of name: String, _ provider: Provider) -> Kind {
        switch (provider, name) {
        case (.gitlab, "Push Hook"), (.gitlab, "Tag Push Hook"): .push
        // Of the whole instance: what it is, its body says.
        case (.gitlab, "System Hook"): .system
        case (.gitlab, "Merge Request Hook"): .pullRequest
        case (.gitlab, _): .other
        case (.bitbucket, "repo:push"), (.bitbucketServer, "repo:refs_changed"): .push
        case (.bitbucket, "diagnostics:ping"), (.bitbucketServer, "diagnostics:ping"): .ping
        case (.bitbucket, _), (.bitbucketServer, _):
            PullRequest.step(of: name, provider) == nil ? .other : .pullRequest
        case (.gogs, "create"): .create
        case (.gogs, "delete"): .delete
        case (.github, "pull_request"), (.gitea, "pull_request"), (.forgejo, "pull_request"),
            (.gogs, "pull_request"):
            .pullRequest
        case (_, "push"): .push
        case (_, "ping"): .ping
        default: .other
        }
    }

    private static func name(_ delivery: IncomingDelivery, _ provider: Provider) -> String {
        switch provider {
        case .github: delivery.only("x-github-event") ?? ""
        case .gitlab: delivery.only("x-gitlab-event") ?? ""
        case .gitea: delivery.only("x-gitea-event") ?? ""
        case .forgejo: delivery.only("x-forgejo-event") ?? delivery.only("x-gitea-event") ?? ""
        case .gogs: delivery.only("x-gogs-event") ?? ""
        case .bitbucket, .bitbucketServer: delivery.only("x-event-key") ?? ""
        case .generic: delivery.only("x-kinto-event") ?? "push"
        }
    }

    private static func identifier(_ delivery: IncomingDelivery, _ provider: Provider) -> String? {
        let given: String? =
            switch provider {
            case .github: delivery.only("x-github-delivery")
            // The other identifiers of GitLab's are new for each attempt, or the same for different events.
            case .gitlab: delivery.only("idempotency-key") ?? delivery.only("webhook-id")
            case .gitea: delivery.only("x-gitea-delivery")
            case .forgejo: delivery.only("x-forgejo-delivery") ?? delivery.only("x-gitea-delivery")
            case .gogs: delivery.only("x-gogs-delivery")
            case .bitbucket: delivery.only("x-request-uuid")
            case .bitbucketServer: delivery.only("x-request-id")
            case .generic: delivery.only("webhook-id") ?? delivery.only("idempotency-key")
            }
        guard let given else { return nil }
        if given.utf8.count <= 128, given.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) { return given }
        // Kept apart from others all the same.
        return "sha256-"
            + SHA256.hash(data: Array(given.utf8)).prefix(16).map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
    }
}

extension RefChange {
    /// The sender named no branch: it means whichever is deployed.
    static let tracked = RefChange(reference: "", commit: nil)

    /// - Throws: `Failure` of code `malformed` for what is no reference or no commit.
    static func checked(
        _ reference: String?, _ commit: String?, isRemoved: Bool, isForced: Bool, message: String?
    )
        throws(Failure) -> RefChange
    {
        guard let reference, reference.utf8.count <= 1024, reference.hasPrefix("refs/"),
            !reference.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value == 0x7F })
        else { throw Failure(code: "malformed", "the payload has no 'ref' that begins with refs/") }
        // Zeros say that there is nothing, in 40 digits or 64.
        let isZero =
            commit.map { [40, 64].contains($0.utf8.count) && $0.utf8.allSatisfy { $0 == 0x30 } } ?? false
        if isRemoved || isZero { return RefChange(reference: reference, commit: nil, isRemoved: true) }
        guard let commit, let parsed = CommitID(commit) else {
            throw Failure(
                code: "malformed",
                "the payload has no commit for '\(shown(reference))'"
                    + (commit?.utf8.count == 64 ? ": repositories with SHA-256 names are not supported" : ""))
        }
        return RefChange(
            reference: reference, commit: parsed, isForced: isForced, skipMarker: marker(in: message))
    }
}

/// A value that is not what it should be counts as absent: senders change what they send, and what is needed is asked for by
/// name.
struct Loose<Value: Decodable>: Decodable {
    let value: Value?

    init(from decoder: any Decoder) throws { value = try? Value(from: decoder) }
}

extension Decodable {
    /// - Throws: `Failure` of code `malformed`.
    static func decode(_ text: [UInt8]) throws(Failure) -> Self {
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            // Not copied: a payload may be 25 MiB long.
            return try text.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else {
                    return try decoder.decode(Self.self, from: Data())
                }
                let data = Data(
                    bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count,
                    deallocator: .none)
                return try decoder.decode(Self.self, from: data)
            }
        } catch { throw Failure(code: "malformed", "the payload is not a JSON object") }
    }
}
