// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner
internal import Wire

/// What `PATCH /services/NAME` changes: each that is given.
struct ServiceSettings: Decodable {
    let provider: String?
    let missed: String?
    let token: String?
    let username: String?
    let authorities: String?
    let queue: String?
    let submoduleHosts: [String]?
    /// A pattern of branches; empty: none get previews any more.
    let previews: String?
    /// Milliseconds.
    let previewLifetime: Int?
    let previewMost: Int?
    /// An environment; empty: production's variables that are no secrets.
    let previewConfig: String?
    /// Whether pull requests from forks get previews, too.
    let previewForks: Bool?

    /// What is to be in force then.
    private func rule(after known: PreviewRule?, of service: ServiceName) throws -> PreviewRule? {
        if previewForks == true, (previews ?? known?.pattern) != PreviewRule.pullRequests {
            throw Failure(
                code: "invalid-request", "forks get previews by pull requests only",
                hints: [
                    .init(
                        "ask for both",
                        command:
                            "kinto service set \(service) --preview \(PreviewRule.pullRequests) --preview-forks on"
                    )
                ])
        }
        guard let pattern = previews ?? known?.pattern else {
            throw Failure(code: "invalid-request", "say which branches get previews")
        }
        guard !pattern.isEmpty else { return nil }
        let config =
            try previewConfig.map { try $0.isEmpty ? nil : EnvironmentName($0) } ?? known?.config
        return try PreviewRule(
            pattern: pattern,
            lifetime: previewLifetime ?? known?.lifetime
                ?? PreviewRule.usualLifetime.milliseconds,
            most: previewMost ?? known?.most ?? PreviewRule.usualMost, config: config,
            forks: pattern == PreviewRule.pullRequests && (previewForks ?? known?.forks ?? false))
    }

    private var changesPreviews: Bool {
        previews != nil || previewLifetime != nil || previewMost != nil || previewConfig != nil
            || previewForks != nil
    }

    func apply(to target: Target, _ actions: Actions) async throws {
        try await actions.require(target)
        try await actions.store.set(
            target.service, provider: provider.map(Self.provider), queue: queue.map(Self.policy),
            missed: missed.map(Self.missed), submoduleHosts: submoduleHosts.map(Self.hosts))
        if changesPreviews {
            let known = try await actions.store.service(target.service)?.previews
            try await actions.setPreviews(target.service, try rule(after: known, of: target.service))
        }
        if token != nil || username != nil || authorities != nil {
            try await actions.changeCredentials(
                target.service, token: token, username: username, authorities: authorities)
        }
    }

    private static func missed(_ text: String) throws -> MissedPushPolicy {
        guard let policy = MissedPushPolicy(rawValue: text) else {
            throw Failure(code: "invalid-request", "missed is one of deploy, warn and off")
        }
        return policy
    }

    static func hosts(_ texts: [String]) throws -> [String] {
        try texts.filter { !$0.isEmpty }.map { text in
            // What can be the host and port of an address.
            guard texts.count <= 50, let address = try? GitAddress("https://\(text)/x"), address.path == "/x",
                address.user == nil, !address.host.contains(":")
            else {
                throw Failure(
                    code: "invalid-request",
                    "'\(text)' is no host like git.example.com or git.example.com:8443")
            }
            return (address.port ?? 443) == 443 ? address.host.lowercased() : text.lowercased()
        }
    }

    static func provider(_ text: String) throws -> Provider {
        guard let provider = Provider(rawValue: text) else {
            throw Failure(code: "invalid-request", "provider is one of \(Provider.list)")
        }
        return provider
    }

    static func policy(_ text: String) throws -> QueuePolicy {
        guard let policy = QueuePolicy(rawValue: text) else {
            throw Failure(code: "invalid-request", "queue is one of wait, cancel and every")
        }
        return policy
    }
}
