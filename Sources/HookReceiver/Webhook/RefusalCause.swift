// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// Why a signature was not accepted, in words for the operator. Never for the sender: it tells what is configured.
public enum RefusalCause {
    /// - Parameters:
    ///   - service: nil when there is none of that name.
    ///   - others: all services, to find whose secret it was.
    public static func explain(
        _ delivery: IncomingDelivery, _ service: RegisteredService?, others: [RegisteredService],
        now: Timestamp = .now
    ) -> String {
        guard let service else { return "there is no service of that name" }
        let provider = service.provider
        if let previous = service.previousSecret, previous.until <= now,
            WebhookSignature.isValid(delivery, provider, secrets: [previous.value], now: now)
        {
            return "signed with the secret before the present one, which ended at \(previous.until.rfc3339)"
        }
        for other in others where other.name != service.name {
            if WebhookSignature.isValid(delivery, provider, secrets: other.secrets(at: now), now: now) {
                return "signed with the secret of service '\(other.name)'"
            }
        }
        if let sender = sender(delivery), sender != provider {
            if WebhookSignature.isValid(delivery, sender, secrets: service.secrets(at: now), now: now) {
                return
                    "the secret is right, but it was sent by \(sender.title) and the service's provider is \(provider.rawValue): kinto service set \(service.name) --provider \(sender.rawValue)"
            }
            return
                "sent by \(sender.title), but the service's provider is \(provider.rawValue): kinto service set \(service.name) --provider \(sender.rawValue)"
        }
        let fields = fields(of: service)
        guard let field = fields.first(where: delivery.has) else {
            return "no signature (\(fields.joined(separator: ", "))): enter the secret at \(provider.title)"
        }
        guard let value = delivery.only(field) else {
            return "the signature is empty, or there are two: \(field)"
        }
        if field == "webhook-signature", let time = delivery.only("webhook-timestamp").flatMap({ Int64($0) }),
            abs(now.milliseconds / 1000 - time) > Int64(WebhookSignature.window)
        {
            return "signed for another time than now: sent again by somebody, or one of the clocks is wrong"
        }
        if provider == .gitlab, !WebhookSignature.isSigningToken(service.webhookSecret),
            field != "x-gitlab-token"
        {
            return
                "signed by GitLab's signing token, but the service's secret is a plain token: kinto service rotate-secret \(service.name) --secret-from FILE"
        }
        if value.hasPrefix("sha1="), field != "x-gitlab-token" {
            return "signed by SHA-1 only, which is not accepted: \(field)"
        }
        return "signed with another secret than the service's"
    }

    /// What the delivery says it is, by the headers of the one provider that sends them.
    public static func event(_ delivery: IncomingDelivery) -> String {
        [
            "x-forgejo-event", "x-gitea-event", "x-gogs-event", "x-github-event", "x-gitlab-event",
            "x-event-key", "x-kinto-event",
        ].lazy.compactMap(delivery.only).first ?? ""
    }

    /// Who sent it. Forgejo sends Gitea's headers, too, and Gitea those of Gogs and GitHub.
    private static func sender(_ delivery: IncomingDelivery) -> Provider? {
        if delivery.has("x-forgejo-event") { return .forgejo }
        if delivery.has("x-gitea-event") { return .gitea }
        if delivery.has("x-gogs-event") { return .gogs }
        if delivery.has("x-github-event") { return .github }
        if delivery.has("x-gitlab-event") { return .gitlab }
        if delivery.has("x-event-key") { return delivery.has("x-hook-uuid") ? .bitbucket : .bitbucketServer }
        return nil
    }

    private static func fields(of service: RegisteredService) -> [String] {
        switch service.provider {
        case .github: ["x-hub-signature-256"]
        case .gitlab:
            WebhookSignature.isSigningToken(service.webhookSecret)
                ? ["webhook-signature"] : ["x-gitlab-token", "webhook-signature"]
        case .gitea: ["x-gitea-signature"]
        case .forgejo: ["x-forgejo-signature", "x-gitea-signature"]
        case .gogs: ["x-gogs-signature"]
        case .bitbucket, .bitbucketServer: ["x-hub-signature"]
        case .generic: ["x-signature", "x-hub-signature-256", "webhook-signature", "authorization"]
        }
    }
}
