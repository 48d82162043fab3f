// SPDX-License-Identifier: Apache-2.0
internal import HTTPTypes
internal import HookReceiver
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Wire

/// `POST /hooks/NAME`: a forge's delivery becomes a release, or is told why not.
struct WebhookRoutes: Sendable {
    static let limit = 25 << 20
    let door: WebhookDoor
    let limiter: RefusalLimiter

    func add(to router: Router<APIServer.Context>) {
        router.post("/hooks/:name") { request, context in try await deliver(request, context) }
    }

    private func deliver(_ request: Request, _ context: APIServer.Context) async throws -> Response {
        let began = ContinuousClock.now
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > WebhookRoutes.limit {
            throw tooLarge
        }
        let body: [UInt8]
        do {
            body = Array(try await request.body.collect(upTo: WebhookRoutes.limit).readableBytesView)
        } catch is NIOTooManyBytesError { throw tooLarge }
        try Fault.bodyRead.reach()
        let incoming = IncomingDelivery(
            request.headers.lazy.map { ($0.name.rawName, $0.value) }, body: body)
        let name = try context.parameters.require("name")
        let answer: WebhookDoor.Answer
        do { answer = try await door.take(incoming, for: name, began: began) } catch let failure as Failure
            where failure.code == "unsupported-media-type"
        { return Response(status: .unsupportedMediaType) }
        guard case .refused = answer else {
            return try DeliveryAnswer(answer, Target(service: ServiceName(name))).response()
        }
        guard limiter.allows(context.source) else {
            return Response(status: .tooManyRequests, headers: [.retryAfter: "\(RefusalLimiter.retryAfter)"])
        }
        throw Problem(Failure(code: "unauthorized", "missing or wrong signature"))
    }

    private var tooLarge: HTTPError { HTTPError(.contentTooLarge, message: "deliveries are at most 25 MiB") }
}

/// What a delivery is answered with.
struct DeliveryAnswer {
    private struct Queued: Encodable {
        let delivery, service, environment, url: String
        let release, position: Int
    }

    private struct Ignored: Encodable {
        let ignored, delivery, service, environment: String
        let url: String?
        let release: Int?
    }

    let answer: WebhookDoor.Answer
    let target: Target

    init(_ answer: WebhookDoor.Answer, _ target: Target) {
        self.answer = answer
        self.target = target
    }

    func response() throws -> Response {
        let (service, environment) = (target.service.description, target.environment.description)
        switch answer {
        case .queued(let release, let position, let delivery):
            return try Queued(
                delivery: delivery, service: service, environment: environment, url: url(release.number),
                release: release.number, position: position
            ).json(.accepted).then(.answered)
        case .ignored(let reason, let delivery, let release):
            return try Ignored(
                ignored: reason, delivery: delivery, service: service, environment: environment,
                url: release.map(url), release: release
            ).json()
        case .refused: throw Problem(Failure(code: "unauthorized", "missing or wrong signature"))
        }
    }

    private func url(_ number: Int) -> String { "/api/v1/services/\(target.service)/releases/\(number)" }
}
