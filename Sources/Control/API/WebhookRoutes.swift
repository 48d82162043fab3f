// SPDX-License-Identifier: Apache-2.0
internal import HookReceiver
internal import HTTPTypes
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Wire

/// `POST /hooks/NAME`: a forge's delivery becomes a release, or is told why not.
struct WebhookRoutes: Sendable {
    static let limit = 25 << 20
    let actions: Actions

    private struct Queued: Encodable {
        let delivery, service, environment, url: String
        let release, position: Int
    }

    private struct Ignored: Encodable {
        let ignored, delivery, service, environment: String
        let url: String?
        let release: Int?

        init(_ reason: String, _ delivery: String, _ target: Target, release: Int?) {
            ignored = reason
            self.delivery = delivery
            service = target.service.description
            environment = target.environment.description
            self.release = release
            url = release.map { WebhookRoutes.url(target, $0) }
        }
    }

    private static func url(_ target: Target, _ number: Int) -> String {
        "/api/v1/services/\(target.service)/releases/\(number)"
    }

    func add(to router: Router<APIServer.Context>) {
        router.post("/hooks/:name") { request, context in try await deliver(request, context) }
    }

    private func deliver(_ request: Request, _ context: APIServer.Context) async throws -> Response {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > WebhookRoutes.limit {
            throw tooLarge
        }
        let body: [UInt8]
        do {
            body = Array(try await request.body.collect(upTo: WebhookRoutes.limit).readableBytesView)
        } catch is NIOTooManyBytesError { throw tooLarge }
        try Fault.bodyRead.reach()
        // An unknown name is checked like a known one, and answered the same.
        let name = try? ServiceName(context.parameters.require("name"))
        let known: RegisteredService? = if let name { try await actions.store.service(name) } else { nil }
        let secret = known?.webhookSecret ?? "no such service"
        let signatures = request.headers[values: header("X-Hub-Signature-256")]
        guard GitHubSignature.isValid(signatures, body: body, secret: secret), let service = known else {
            throw Problem(Failure(code: "unauthorized", "missing or wrong signature"))
        }
        let target = Target(service: service.name)
        guard let environment = try await actions.store.environment(target) else {
            throw Problem(Failure(code: "unauthorized", "missing or wrong signature"))
        }
        let event = request.headers[header("X-GitHub-Event")] ?? ""
        let identifier = String(
            (request.headers[header("X-GitHub-Delivery")] ?? "").filter { $0.isASCII && !$0.isWhitespace }
                .prefix(128))
        if !identifier.isEmpty, let earlier = try await actions.store.delivery(service.name, identifier),
            earlier.status < 300
        {
            return try Ignored(
                "delivery \(identifier) was received before: \(earlier.verdict)", identifier, target,
                release: earlier.release
            ).json()
        }
        let read: GitHubEvent
        do throws(Failure) {
            read = try GitHubEvent.read(
                event: event, contentType: request.headers[.contentType] ?? "", body: body)
        } catch {
            if error.code == "unsupported-media-type" { return Response(status: .unsupportedMediaType) }
            throw error
        }
        var delivery = Delivery(
            identifier: identifier.isEmpty ? Actions.random() : identifier, service: service.name.description,
            event: event,
            reference: "", verdict: "", release: nil, status: 200, at: .now)
        switch read {
        case .ignored(let reason, let reference):
            delivery.reference = reference
            delivery.verdict = "ignored: \(reason)"
        case .push(let branch, _, let reference) where branch != environment.branch:
            delivery.reference = reference
            delivery.verdict =
                "ignored: '\(branch)' is not '\(environment.branch)', the branch that \(target.environment) deploys"
        case .push(_, _, let reference) where environment.deploysStopped != nil:
            delivery.reference = reference
            delivery.verdict = "ignored: automatic deploys are stopped: \(environment.deploysStopped ?? "")"
        case .push(let branch, let commit, let reference):
            var new = NewRelease(
                target: target, commit: service.source == .remote ? nil : commit, branch: branch,
                trigger: .webhook)
            new.deduplication = identifier.isEmpty ? nil : "webhook \(service.name) \(identifier)"
            delivery.reference = reference
            new.delivery = delivery
            new.tip = commit
            switch try await actions.take(new) {
            case .release(let release, let position):
                return try Queued(
                    delivery: delivery.identifier, service: service.name.description,
                    environment: target.environment.description,
                    url: WebhookRoutes.url(target, release.number), release: release.number,
                    position: position
                ).json(.accepted).then(.answered)
            case .duplicate(let earlier):
                return try Ignored(
                    "delivery \(identifier) was received before", delivery.identifier, target,
                    release: earlier?.number
                ).json()
            case .live(let live):
                return try Ignored(
                    Store.alreadyLive(live), delivery.identifier, target, release: live.number
                ).json()
            }
        }
        try await actions.store.record(delivery)
        return try Ignored(
            String(delivery.verdict.dropFirst("ignored: ".count)), delivery.identifier, target, release: nil
        ).json()
    }

    private var tooLarge: HTTPError { HTTPError(.contentTooLarge, message: "deliveries are at most 25 MiB") }

    private func header(_ name: String) -> HTTPField.Name {
        HTTPField.Name(name) ?? .init(parsed: "x-none") ?? .accept
    }
}
