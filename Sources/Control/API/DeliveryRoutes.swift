// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import Wire

/// What webhooks brought, and what signs them.
struct DeliveryRoutes: Sendable {
    let actions: Actions

    private struct Replay: Decodable {
        let delivery: String
    }

    private struct Rotation: Decodable {
        let secret: String?
        /// Milliseconds.
        let overlap: Int?
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let actions = actions
        api.post("/services/:name/rotate-secret") { request, context in
            let target = try request.target(context)
            let ask = try await request.decoded(Rotation.self)
            context.note.about(target.service)
            // A year at most: a secret that is never taken back was not rotated.
            let overlap = min(max(0, ask.overlap ?? 86_400_000), 31_536_000_000)
            return try await actions.rotateSecret(
                target.service, to: ask.secret, overlap: .milliseconds(overlap)
            ).json()
        }
        api.get("/deliveries") { request, _ in
            let name = try request.uri.queryParameters["service"].map { try ServiceName(String($0)) }
            return try await actions.store.deliveries(name, limit: request.limit).map(
                DeliveryJSON.init
            ).json()
        }
        api.post("/services/:name/deliveries/replay") { request, context in
            let target = try request.target(context)
            let ask = try await request.decoded(Replay.self)
            context.note.about(target.service)
            guard
                let answer = DeliveryAnswer(
                    try await actions.webhooks.replay(
                        ask.delivery, of: target.service, by: context.by ?? ""))
            else { throw Failure(code: "unknown-service", "there is no service '\(target.service)'") }
            return try answer.response()
        }
    }
}

/// What became of one delivery.
struct DeliveryJSON: Encodable {
    let delivery, service, event, ref, verdict, at: String
    let provider: Provider
    let release: Int?
    /// Of every environment.
    let releases: [Outcome]
    let status: Int
    /// Milliseconds from the request to the verdict.
    let duration: Int
    /// Whether it can be decided on again.
    let replayable: Bool

    struct Outcome: Encodable {
        let environment: String
        let release: Int
        /// False: it was live already.
        let isNew: Bool
    }

    init(_ d: Delivery) {
        delivery = d.identifier
        service = d.service
        event = d.event
        ref = d.reference
        verdict = d.verdict
        at = d.at.rfc3339
        provider = d.provider
        duration = d.duration
        replayable = !d.changes.isEmpty
        release = d.release
        releases = d.releases.map {
            Outcome(environment: $0.environment.description, release: $0.release, isNew: $0.isNew)
        }
        status = d.status
    }
}
