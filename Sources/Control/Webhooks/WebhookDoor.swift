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
        /// Not signed, or not by a secret of a service of that name: the same for both.
        case refused
    }

    /// What each service said that is fed by the repository: the one that was named, then the others.
    typealias Answers = (named: Answer, others: [(service: ServiceName, answer: Answer)])

    /// - Parameters:
    ///   - name: as the path has it.
    ///   - began: when the request's head was there.
    /// - Throws: `Failure`: `malformed`, `unsupported-media-type`, or that of a store that cannot keep it.
    func take(_ incoming: IncomingDelivery, for name: String, began: ContinuousClock.Instant) async throws
        -> Answers
    {
        // An unknown name is checked like a known one, and answered the same.
        let known: RegisteredService? =
            if let name = try? ServiceName(name) { try await actions.store.service(name) } else { nil }
        let isSigned = WebhookSignature.isValid(
            incoming, known?.provider ?? .github, secrets: known?.secrets() ?? [" no such service"])
        guard isSigned, let service = known else {
            await refusals.note(incoming, name, known, status: 401, nil)
            return (.refused, [])
        }
        let event: ForgeEvent
        do throws(Failure) { event = try ForgeEvent.read(incoming, service.provider) } catch {
            await refusals.note(incoming, name, service, status: 400, error.message)
            throw error
        }
        // One repository may feed several services, and a forge is told of one of them.
        var others: [(service: ServiceName, answer: Answer)] = []
        if service.source == .remote {
            for other in try await actions.store.services()
            where other.name != service.name && other.repository == service.repository {
                others.append((other.name, try await take(event, other, began)))
            }
        }
        return (try await take(event, service, began), others)
    }

    private func take(
        _ event: ForgeEvent, _ service: RegisteredService, _ began: ContinuousClock.Instant
    ) async throws -> Answer {
        if let identifier = event.identifier,
            let earlier = try await actions.store.delivery(service.name, identifier), earlier.status < 300
        {
            return .ignored(
                "delivery \(identifier) was received before: \(earlier.verdict)", delivery: identifier,
                release: earlier.release)
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
    func replay(_ identifier: String, of name: ServiceName) async throws -> Answer {
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
    ) async throws -> Answer {
        var delivery = first
        let target = Target(service: service.name)
        guard let environment = try await actions.store.environment(target) else { return .refused }
        let milliseconds = (ContinuousClock.now - began) / .milliseconds(1)
        delivery.duration = Int(milliseconds.rounded())
        switch DeliveryDecision(event, for: environment) {
        case .ignore(let reason, let reference):
            delivery.reference = reference
            delivery.verdict = "ignored: \(reason)"
            try await actions.store.record(delivery)
            return .ignored(reason, delivery: delivery.identifier, release: nil)
        case .deploy(let change):
            var new = NewRelease(
                target: target, commit: service.source == .remote ? nil : change.commit,
                branch: environment.branch, trigger: .webhook)
            if service.source != .remote, new.commit == nil {
                new.commit = try await actions.tip(of: environment.branch, in: service.repository)
            }
            delivery.reference = change.reference
            new.deduplication = event.identifier.map { "webhook \(service.name) \($0)" }
            new.delivery = delivery
            new.tip = change.commit
            await actions.spool.take()
            switch try await actions.take(new) {
            case .release(let release, let position):
                return .queued(release, position: position, delivery: delivery.identifier)
            case .duplicate(let earlier):
                return .ignored(
                    "delivery \(delivery.identifier) was received before", delivery: delivery.identifier,
                    release: earlier?.number)
            case .live(let live):
                return .ignored(Store.alreadyLive(live), delivery: delivery.identifier, release: live.number)
            }
        }
    }
}
