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
        let all = try await actions.store.addressees(of: service, event.identifier)
        for other in all.others { others += try await take(event, other, began) }
        return try await take(event, all.named, began) + others
    }

    private func take(
        _ event: ForgeEvent, _ to: Store.Addressee, _ began: ContinuousClock.Instant
    ) async throws -> Answers {
        let service = to.service
        if let earlier = to.earlier, earlier.status < 300 { return Self.repeated(earlier, service.name) }
        var delivery = Delivery(
            identifier: event.identifier ?? Actions.random(), service: service.name.description,
            provider: service.provider, event: RefChange.shown(event.name), reference: "", verdict: "",
            release: nil, status: 200, at: .now)
        delivery.duration = Self.milliseconds(since: began)
        return try await actions.decide(for: service.name, to.environments) { [delivery] environments in
            try await decide(event, service, environments, delivery)
        }
    }

    /// One that was sent again is told what became of it.
    private static func repeated(_ earlier: Delivery, _ service: ServiceName) -> Answers {
        let reason = "delivery \(earlier.identifier) was received before: \(earlier.verdict)"
        guard !earlier.releases.isEmpty else {
            return [
                (Target(service: service), .ignored(reason, delivery: earlier.identifier, release: nil))
            ]
        }
        return earlier.releases.map { outcome in
            (
                Target(service: service, environment: outcome.environment),
                .ignored(reason, delivery: earlier.identifier, release: outcome.release)
            )
        }
    }

    private static func milliseconds(since began: ContinuousClock.Instant) -> Int {
        Int(((ContinuousClock.now - began) / .milliseconds(1)).rounded())
    }

    /// Decides once more on what a delivery said, by today's settings.
    /// - Throws: `Failure` of code `unknown-delivery` or `not-replayable`.
    func replay(_ identifier: String, of name: ServiceName, by: String?) async throws -> Answers {
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
        again.releases = []
        again.status = 200
        again.duration = Self.milliseconds(since: began)
        let event = ForgeEvent(name: earlier.event, identifier: nil, changes: changes, ignored: nil)
        return try await actions.decide(for: name) { [again] environments in
            try await decide(event, service, environments, again, replayedBy: by)
        }
    }

    private func decide(
        _ told: ForgeEvent, _ service: RegisteredService, _ known: [RegisteredEnvironment],
        _ first: Delivery, replayedBy person: String? = nil
    ) async throws -> Answers {
        // Removed meanwhile: nothing is kept of it.
        guard !known.isEmpty else { return [] }
        let (environments, notes, done) = try await previewed(told, service, known)
        var event = told
        event.changes.removeAll { done.contains($0.reference) }
        if event.changes.isEmpty, !done.isEmpty { event.ignored = notes.joined(separator: "; ") }
        var delivery = first
        delivery.verdict = ""
        // One of a pull request that gets no preview now may get one later.
        let kept = told.isOfPullRequest ? told.changes : event.changes
        if !kept.isEmpty {
            delivery.changes = String(
                decoding: (try? JSONEncoder().encode(DeliveryDecision.kept(kept, environments)))
                    ?? Data(), as: UTF8.self)
        }
        var (news, ignored): ([NewRelease], Answers) = ([], [])
        func ignore(_ target: Target, _ reason: String, _ reference: String) {
            delivery.reference = delivery.reference.isEmpty ? reference : delivery.reference
            ignored.append((target, .ignored(reason, delivery: delivery.identifier, release: nil)))
        }
        for (environment, decision) in DeliveryDecision.all(event, for: environments) {
            switch decision {
            case .ignore(let reason, let reference): ignore(environment.target, reason, reference)
            case .deploy(let change):
                do {
                    if let same = try await same(change, environment) {
                        ignore(
                            environment.target,
                            // Live, and the one before it is drained.
                            same.live
                                ? "release \(same.number) is live with this commit already"
                                : "release \(same.number) of this commit is on its way",
                            change.reference)
                        continue
                    }
                    let new = try await release(change, event, environment, service)
                    delivery.reference = news.isEmpty ? change.reference : delivery.reference
                    news.append(new)
                } catch let failure as Failure where failure.code == "branch-missing" {
                    // Removed since, or a tag that leads to no commit: the other environments are not held up.
                    ignore(environment.target, failure.message, change.reference)
                }
            }
        }
        delivery.verdict = Self.verdict(ignored, isAll: news.isEmpty)
        if event.ignored == nil, !notes.isEmpty {
            delivery.verdict = ([delivery.verdict] + notes).filter { !$0.isEmpty }.joined(separator: "; ")
        }
        guard !news.isEmpty else {
            try await actions.store.record(delivery)
            return ignored
        }
        news[0].delivery = delivery
        for index in news.indices {
            news[index].by = person
            // What a person does is written down by the gate.
            guard person == nil else { continue }
            news[index].audit = .trigger(
                "webhook", .webhook, of: news[index].target,
                "\(service.provider.rawValue) \(delivery.event) of \(news[index].branch)")
        }
        await actions.spool.take()
        Fault.decided.pass()
        let taken = try await actions.take(news)
        return zip(news, taken).map { ($0.target, Self.answer($1, delivery.identifier)) } + ignored
    }

    private func previewed(
        _ event: ForgeEvent, _ service: RegisteredService, _ known: [RegisteredEnvironment]
    ) async throws -> (environments: [RegisteredEnvironment], notes: [String], done: Set<String>) {
        if let change = event.changes.first, let number = change.pullRequest {
            let plan = Preview.plan(
                pullRequest: number, change.reference, from: change.stranger, isClosed: change.isRemoved,
                service, known)
            return try await actions.follow(plan, service, known)
        }
        return try await actions.previewed(
            service, known,
            event.changes.filter { $0.skipMarker == nil || $0.isRemoved }.map { ($0.reference, $0.isRemoved) }
        )
    }

    /// A forge tells of each commit of a pull request twice: by the push, and by the pull request.
    private func same(_ change: RefChange, _ environment: RegisteredEnvironment) async throws -> Release? {
        guard environment.previewUntil != nil, let commit = change.commit else { return nil }
        return try await actions.store.openReleases(environment.target).last {
            RefName.full($0.branch) == change.reference && ($0.commit ?? $0.tip) == commit
        }
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
