// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner
internal import Wire

/// What a look at a remote repository said.
struct RemoteCheck: Encodable {
    /// The branch's commit; nil: it cannot be had.
    let commit: String?
    /// The fingerprint of a host key that is trusted from now on.
    let pinned: String?
    let code, problem: String?
    let hints: [Failure.Hint]

    init(_ meeting: RemoteRepositories.Meeting) {
        pinned = meeting.pinned
        switch meeting.tip {
        case .success(let tip): (commit, code, problem, hints) = (tip.description, nil, nil, [])
        case .failure(let failure):
            (commit, code, problem, hints) = (nil, failure.code, failure.message, failure.hints)
        }
    }
}

extension Actions {
    /// Of a pattern, which may stand for nothing yet, the repository's own branch is looked at.
    func look(at service: RegisteredService, _ pattern: RefPattern) async -> RemoteCheck {
        RemoteCheck(await remotes.meet(service, reference: pattern.reference ?? "HEAD"))
    }

    struct Checked: Encodable {
        let name, branch: String
        let deployKey: String?
        let check: RemoteCheck
    }

    /// Looks at a service's remote repository, and trusts its ssh host if it was never seen.
    /// - Throws: `Failure` of code `unknown-service`, `not-remote`.
    func checkRemote(_ name: ServiceName) async throws -> Checked {
        guard let service = try await store.service(name),
            let environment = try await store.environment(Target(service: name))
        else { throw Failure(code: "unknown-service", "there is no service '\(name)'") }
        guard service.source == .remote else {
            throw Failure(code: "not-remote", "\(name) is pushed to, and fetches from nowhere")
        }
        return Checked(
            name: name.description, branch: environment.branch,
            deployKey: try await store.credentials(name).publicKey,
            check: await look(at: service, environment.pattern))
    }

    /// Changes what a service proves to its remote repository; nil: stays, empty: none any more.
    /// - Throws: `Failure` of code `unknown-service`, `invalid-request`.
    func changeCredentials(_ name: ServiceName, token: String?, username: String?, authorities: String?)
        async throws
    {
        for (what, text, limit) in [
            ("token", token, 4096), ("username", username, 256), ("CA", authorities, 256 << 10),
        ] {
            if let text, text.utf8.count > limit || text.utf8.contains(0) {
                throw Failure(code: "invalid-request", "the \(what) is too long, or no text")
            }
        }
        if let token, token.utf8.contains(where: { $0 < 0x21 || $0 > 0x7E }) {
            throw Failure(code: "invalid-request", "the token is one word of printable ASCII characters")
        }
        try await store.changeCredentials(name) { credentials in
            if let token { credentials.token = token.isEmpty ? nil : token }
            if let username { credentials.username = username.isEmpty ? nil : username }
            if let authorities { credentials.authorities = authorities.isEmpty ? nil : authorities }
        }
    }
}
