// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HookReceiver
internal import KintoCore
internal import Wire

/// Decides on deliveries: checks the signature, reads the event, queues a release, and remembers each with its verdict.
struct WebhookDoor: Sendable {
    let actions: Actions
    let refusals: Refusals

    /// What the sender is told.
    enum Answer: Sendable {
        case queued(Release, position: Int, delivery: String)
        /// Nothing to deploy, and why; the release that has to do with it.
        case ignored(String, delivery: String, release: Int?)
    }

    /// What each environment said: first one of the service that was named, then its others that the event is about, then
    /// those of other services that the repository feeds.
    typealias Answers = [(target: Target, answer: Answer)]

    /// - Parameters:
    ///   - name: as the path has it.
    ///   - began: when the request's head was there.
    /// - Returns: nothing when it is refused: not signed, or not by a secret of a service of that name, the same for both.
    /// - Throws: `Failure`: `malformed`, `unsupported-media-type`, or that of a store that cannot keep it.
    func take(_ incoming: IncomingDelivery, for name: String, began: ContinuousClock.Instant) async throws
        -> Answers
    {
        // An unknown name is checked like a known one, and answered the same.
        let known: RegisteredService? =
            if let name = try? ServiceName(name) { try await actions.store.service(everCalled: name) } else {
                nil
            }
        let isSigned = WebhookSignature.isValid(
            incoming, known?.provider ?? .github, secrets: known?.secrets() ?? [" no such service"])
        guard isSigned, let service = known else {
            await refusals.note(incoming, name, known, status: 401, nil)
            return []
        }
        let event: ForgeEvent
        do throws(Failure) { event = try ForgeEvent.read(incoming, service.provider) } catch {
            await refusals.note(incoming, name, service, status: 400, error.message)
            throw error
        }
        // One repository may feed several services, and a forge is told of one of them.
        var others: Answers = []
        if service.source == .remote {
            for other in try await actions.store.services()
            where other.name != service.name && other.repository == service.repository {
                others += try await take(event, other, began)
            }
        }
        return try await take(event, service, began) + others
    }

    private func take(
        _ event: ForgeEvent, _ service: RegisteredService, _ began: ContinuousClock.Instant
    ) async throws -> Answers {
        if let identifier = event.identifier,
            let earlier = try await actions.store.delivery(service.name, identifier), earlier.status < 300
        {
            return [
                (
                    Target(service: service.name),
                    .ignored(
                        "delivery \(identifier) was received before: \(earlier.verdict)",
                        delivery: identifier, release: earlier.release)
                )
            ]
        }
        var delivery = Delivery(
            identifier: event.identifier ?? Actions.random(), service: service.name.description,
            provider: service.provider, event: RefChange.shown(event.name), reference: "", verdict: "",
            release: nil, status: 200, at: .now)
        if !event.changes.isEmpty {
            // Of a push of thousands of references the record need not hold all.
            delivery.changes = String(
                decoding: (try? JSONEncoder().encode(Array(event.changes.prefix(100)))) ?? Data(),
                as: UTF8.self)
        }
        return try await decide(event, service, delivery, began: began)
    }

    /// Decides once more on what a delivery said, by today's settings.
    /// - Throws: `Failure` of code `unknown-delivery` or `not-replayable`.
    func replay(_ identifier: String, of name: ServiceName) async throws -> Answers {
        let began = ContinuousClock.now
        guard let service = try await actions.store.service(name),
            let earlier = try await actions.store.delivery(name, identifier)
        else {
            throw Failure(
                code: "unknown-delivery", "there is no delivery '\(RefChange.shown(identifier))' of \(name)",
                hints: [.init("see those that are kept", command: "kinto deliveries \(name)")])
        }
        guard
            let changes = try? JSONDecoder().decode(
                [RefChange].self, from: Data(earlier.changes.utf8)), !changes.isEmpty
        else {
            throw Failure(
                code: "not-replayable", "delivery '\(identifier)' asked for nothing: \(earlier.verdict)",
                hints: [.init("deploy the branch as it is", command: "kinto deploy \(name)")])
        }
        var again = earlier
        again.identifier = "replay-\(Actions.random())"
        again.at = .now
        again.release = nil
        again.status = 200
        let event = ForgeEvent(name: earlier.event, identifier: nil, changes: changes, ignored: nil)
        return try await decide(event, service, again, began: began)
    }

    private func decide(
        _ event: ForgeEvent, _ service: RegisteredService, _ first: Delivery, began: ContinuousClock.Instant
    ) async throws -> Answers {
        var delivery = first
        let milliseconds = (ContinuousClock.now - began) / .milliseconds(1)
        delivery.duration = Int(milliseconds.rounded())
        var (news, ignored): ([NewRelease], Answers) = ([], [])
        let environments = try await actions.store.environments(of: service.name)
        for (environment, decision) in DeliveryDecision.all(event, for: environments) {
            switch decision {
            case .ignore(let reason, let reference):
                delivery.reference = delivery.reference.isEmpty ? reference : delivery.reference
                ignored.append(
                    (environment.target, .ignored(reason, delivery: delivery.identifier, release: nil)))
            case .deploy(let change):
                delivery.reference = news.isEmpty ? change.reference : delivery.reference
                news.append(try await release(change, event, environment, service))
            }
        }
        delivery.verdict = Self.verdict(ignored, isAll: news.isEmpty)
        guard !news.isEmpty else {
            try await actions.store.record(delivery)
            return ignored
        }
        news[0].delivery = delivery
        await actions.spool.take()
        let taken = try await actions.take(news)
        return zip(news, taken).map { ($0.target, Self.answer($1, delivery.identifier)) } + ignored
    }

    private func release(
        _ change: RefChange, _ event: ForgeEvent, _ environment: RegisteredEnvironment,
        _ service: RegisteredService
    ) async throws -> NewRelease {
        let branch = RefName.short(change.reference)
        var new = NewRelease(
            target: environment.target, commit: service.source == .remote ? nil : change.commit,
            branch: branch, trigger: .webhook)
        // A forge may name the object of an annotated tag.
        if service.source != .remote, new.commit == nil || RefName.isTag(branch) {
            new.commit = try await actions.tip(of: branch, in: service.repository)
        }
        if let identifier = event.identifier { new.identify(by: "webhook \(service.name) \(identifier)") }
        new.tip = change.commit
        return new
    }

    private static func verdict(_ ignored: Answers, isAll: Bool) -> String {
        ignored.compactMap { target, answer in
            guard case .ignored(let reason, _, _) = answer else { return nil }
            return isAll && ignored.count == 1
                ? "ignored: \(reason)" : "\(target.environment): ignored: \(reason)"
        }.joined(separator: "; ")
    }

    private static func answer(_ taken: Taken, _ delivery: String) -> Answer {
        switch taken {
        case .release(let release, let position):
            .queued(release, position: position, delivery: delivery)
        case .duplicate(let earlier):
            .ignored(
                "delivery \(delivery) was received before", delivery: delivery, release: earlier?.number)
        case .live(let live):
            .ignored(Store.alreadyLive(live), delivery: delivery, release: live.number)
        }
    }
}
