// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import Wire

/// Services, and the state of the whole.
struct ServiceRoutes: Sendable {
    let actions: Actions
    let version: String
    /// Over the unix socket: by the user whom the server runs as.
    let isLocal: Bool

    private struct NewService: Decodable {
        let name: String
        let repository: String?
        let branch: String?
        let config: String?
        let provider: String?
        let queue: String?
    }

    private struct Import: Decodable {
        let service: ServiceDocument
        let name: String?
        let repository: String?
    }

    private struct Rename: Decodable {
        let to: String
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let (actions, isLocal) = (actions, isLocal)
        api.get("/status") { request, _ in
            let only = request.uri.queryParameters["service"].map(String.init)
            return try await actions.status(version: version, only: only).json()
        }
        api.get("/services") { _, _ in try await actions.status(version: version, only: nil).services.json() }
        api.post("/services") { request, context in
            let ask = try await request.decoded(NewService.self)
            context.note.about(try ServiceName(ask.name))
            return try await actions.addService(
                ask.name, repository: ask.repository, branch: ask.branch, settings: ask.config,
                provider: ask.provider.map(ServiceSettings.provider),
                queue: ask.queue.map(ServiceSettings.policy) ?? .wait
            ).json(.created)
        }
        api.get("/services/:name/export") { request, context in
            let withSecrets = request.flag("secrets")
            guard !withSecrets || isLocal else {
                throw Failure(
                    code: "local-only", "secrets are exported only on the server itself",
                    hints: [.init("log in there, as the user whom kinto runs as")])
            }
            return try await actions.exportService(request.target(context).service, withSecrets: withSecrets)
                .json()
        }
        api.post("/import") { request, _ in
            let ask = try await request.decoded(Import.self)
            _ = try ServiceSettings.hosts(ask.service.submoduleHosts)
            return try await actions.importService(ask.service, name: ask.name, repository: ask.repository)
                .json(.created)
        }
        api.patch("/services/:name") { request, context in
            let target = try request.target(context)
            let settings = try await request.decoded(ServiceSettings.self)
            context.note.about(target.service)
            try await settings.apply(to: target, actions)
            return try await actions.status(version: version, only: target.service.description).services
                .json()
        }
        api.post("/services/:name/check") { request, context in
            let service = try request.target(context).service
            context.note.about(service)
            return try await actions.checkRemote(service).json()
        }
        api.get("/services/:name") { request, context in
            let target = try request.target(context)
            try await actions.require(target)
            return try await actions.status(version: version, only: target.service.description).services
                .json()
        }
        api.delete("/services/:name") { request, context in
            let target = try request.target(context)
            context.note.about(target.service)
            try await actions.removeService(target.service)
            return Response(status: .noContent)
        }
        api.post("/services/:name/rename") { request, context in
            let target = try request.target(context)
            let ask = try await request.decoded(Rename.self)
            return try await actions.renameService(target.service, to: ask.to).json()
        }
    }
}
