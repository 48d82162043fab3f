// SPDX-License-Identifier: Apache-2.0
internal import HTTPTypes
internal import HookReceiver
internal import Hummingbird
internal import KintoCore
internal import Wire

/// `POST /hooks/NAME`: a forge's delivery becomes a release, or is told why not.
struct WebhookRoutes: Sendable {
    let door: WebhookDoor
    let limiter: RefusalLimiter

    func add(to router: NotedRouter) {
        router.post("/hooks/:name") { request, context in try await deliver(request, context) }
    }

    private func deliver(_ request: Request, _ context: APIServer.Context) async throws -> Response {
        let began = ContinuousClock.now
        let name = try context.parameters.require("name")
        let answers: WebhookDoor.Answers
        do {
            answers = try await DeliveryBody.read(request) { body in
                try Fault.bodyRead.reach()
                let fields = request.headers.lazy.map { ($0.name.rawName, $0.value) }
                return try await door.take(IncomingDelivery(fields, body: body), for: name, began: began)
            }
        } catch let trouble as DeliveryBody.Trouble {
            // What is not read any more must not keep the connection.
            context.close()
            throw Problem(
                trouble == .tooLong
                    ? Failure(
                        code: "body-too-large", "a delivery is at most \(DeliveryBody.limit >> 20) MiB")
                    : Failure(code: "body-too-slow", "the delivery did not come in time"),
                headers: [.connection: "close"])
        }
        if let answer = DeliveryAnswer(answers) { return try answer.response() }
        guard limiter.allows(context.source) else {
            throw Problem(
                Failure(code: "too-many-refusals", "too many deliveries were refused; try again later"),
                headers: [.retryAfter: "\(RefusalLimiter.retryAfter)"])
        }
        throw Problem(Failure(code: "unauthorized", "missing or wrong signature"))
    }
}

/// What a delivery is answered with.
struct DeliveryAnswer {
    private struct Queued: Encodable {
        let delivery, service, environment, url: String
        let release, position: Int
        let also: [Other]?
    }

    private struct Ignored: Encodable {
        let ignored, delivery, service, environment: String
        let url: String?
        let release: Int?
        let also: [Other]?
    }

    /// What became of it for another environment, or another service of the same repository.
    private struct Other: Encodable {
        let service, environment: String
        let release: Int?
        let ignored: String?

        init(_ target: Target, _ answer: WebhookDoor.Answer) {
            service = target.service.description
            environment = target.environment.description
            switch answer {
            case .queued(let release, _, _): (self.release, ignored) = (release.number, nil)
            case .ignored(let reason, _, let release): (self.release, ignored) = (release, reason)
            }
        }
    }

    private let also: [Other]?
    let answer: WebhookDoor.Answer
    let target: Target

    /// nil: there is none, as it was refused.
    init?(_ answers: WebhookDoor.Answers) {
        guard let first = answers.first else { return nil }
        (target, answer) = first
        also = answers.count == 1 ? nil : answers.dropFirst().map { Other($0.target, $0.answer) }
    }

    func response() throws -> Response {
        let (service, environment) = (target.service.description, target.environment.description)
        switch answer {
        case .queued(let release, let position, let delivery):
            return try Queued(
                delivery: delivery, service: service, environment: environment, url: url(release.number),
                release: release.number, position: position, also: also
            ).json(.accepted).then(.answered)
        case .ignored(let reason, let delivery, let release):
            return try Ignored(
                ignored: reason, delivery: delivery, service: service, environment: environment,
                url: release.map(url), release: release, also: also
            ).json()
        }
    }

    private func url(_ number: Int) -> String {
        "/api/v1/services/\(target.service)/releases/\(number)"
            + (target.environment == .production ? "" : "?env=\(target.environment)")
    }
}
