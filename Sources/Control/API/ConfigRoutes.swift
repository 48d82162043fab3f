// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore

/// The server-side configuration, and the key that its secrets are sealed with.
struct ConfigRoutes: Sendable {
    let actions: Actions
    /// Over the unix socket: by the user whom the server runs as.
    let isLocal: Bool

    private struct Ask: Decodable {
        var environment: String?
        var set: [String: String]?
        var unset: [String]?
        var secret: Bool?
    }

    private struct Answer: Encodable {
        let release: ReleaseJSON?
    }

    private struct Variable: Encodable {
        let name: String
        /// Absent: it is a secret, and was not asked for.
        let value: String?
        let secret: Bool
    }

    private struct Variables: Encodable {
        let variables: [Variable]
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let (actions, isLocal) = (actions, isLocal)
        let service = api.group("/services/:name")
        service.get("/config") { request, context in
            let target = try request.target(context)
            try await actions.require(target)
            let reveals = request.flag("reveal")
            if reveals {
                try requireLocal()
                context.note.call("config reveal")
            }
            let variables = try await actions.store.variables(target)
            return try Variables(
                variables: variables.map {
                    Variable(
                        name: $0.name, value: $0.isSecret && !reveals ? nil : $0.value, secret: $0.isSecret)
                }
            ).json()
        }
        service.get("/config/diff") { request, context in
            let target = try request.target(context)
            guard let to = request.uri.queryParameters["to"] else {
                throw Failure(code: "invalid-request", "?to names the environment to compare with")
            }
            return try [
                "differences": await actions.compareConfig(
                    target.service, target.environment, with: EnvironmentName(String(to)))
            ].json()
        }
        service.patch("/config") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            let release = try await actions.configure(
                target, set: ask.set ?? [:], secret: ask.secret ?? false, unset: ask.unset ?? [],
                by: context.by)
            if let release { context.note.say(release) }
            return try Answer(release: release.map(ReleaseJSON.init)).json()
        }
        api.post("/secret-key/rotate") { _, _ in
            guard isLocal else { throw refusal }
            try await actions.store.rotateKey()
            return try [String: String]().json()
        }
    }

    private func requireLocal() throws { if !isLocal { throw refusal } }

    private var refusal: Failure {
        Failure(
            code: "local-only", "secrets are shown, and their key is replaced, only on the server itself",
            hints: [
                .init(
                    "log in there, as the user whom kinto runs as", command: "kinto config NAME list --reveal"
                )
            ])
    }
}
