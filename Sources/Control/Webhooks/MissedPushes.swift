// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HookReceiver
internal import KintoCore
internal import Logging
internal import Runner
internal import Wire

/// Finds pushes of which no delivery told: forges drop them, switch hooks off, or cannot reach the server. The branch or tag that an
/// environment of a remote service names is asked for its commit, which costs one listing and no download.
actor MissedPushes {
    /// What a reference is at, in the remote repository.
    typealias Look = @Sendable (RegisteredService, String) async throws -> CommitID

    /// A delivery may be on its way: a commit is missed when it is still unknown after this.
    static let grace = Duration.seconds(60)
    /// What does not answer is asked less and less often, up to this.
    static let rarest = Duration.seconds(3600)

    private struct Place {
        var next: ContinuousClock.Instant
        var failures = 0
        /// Unknown when it was looked at last.
        var unknown: CommitID?
    }

    private let actions: Actions
    private let every: Duration
    private let look: Look
    private let logger: Logger
    private var places: [Target: Place] = [:]

    /// - Parameter every: how often a service is looked at.
    init(_ actions: Actions, every: Duration, logger: Logger, look: @escaping Look) {
        self.actions = actions
        self.every = every
        self.look = look
        self.logger = logger
    }

    /// Looks until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            let now = ContinuousClock.now
            let known = (try? await targets()) ?? []
            places = places.filter { place in known.contains { $0.environment.target == place.key } }
            for one in known {
                let target = one.environment.target
                if places[target] == nil { places[target] = Place(next: now + spread(every, from: 0)) }
                guard let due = places[target]?.next, due <= now else { continue }
                await visit(one.service, one.environment)
            }
            // New services are found within a minute.
            let next = places.values.map(\.next).min() ?? now + every
            let pause = min(max(next - .now, .milliseconds(200)), .seconds(60))
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    private func targets() async throws -> [(service: RegisteredService, environment: RegisteredEnvironment)]
    {
        let environments = try await actions.store.environments()
        return try await actions.store.services().flatMap { service in
            service.source == .remote && service.missed != .off
                ? environments.filter {
                    // Of a pattern a listing does not say what was pushed last, and what pushes do not deploy was not missed.
                    $0.target.service == service.name && $0.pattern.isExact && $0.autoDeploy
                        && !$0.isProtected && MissedPushes.isAllowed($0, service)
                }.map { (service, $0) } : []
        }
    }

    /// What is in a fork has to be allowed.
    private static func isAllowed(_ environment: RegisteredEnvironment, _ service: RegisteredService) -> Bool
    {
        !environment.isOfFork || service.previews?.forks == true
    }

    private func visit(_ service: RegisteredService, _ environment: RegisteredEnvironment) async {
        let target = environment.target
        var place = places[target] ?? Place(next: .now)
        do {
            place.next = .now + spread(every, from: 0.8)
            if try await isToBeAsked(target) {
                let reference = RefName.full(environment.branch)
                let tip = try await look(service, reference)
                place.failures = 0
                if try await isKnown(tip, of: reference, target) {
                    place.unknown = nil
                } else if place.unknown == tip {
                    try await found(tip, service, environment)
                    place.unknown = nil
                } else {
                    place.unknown = tip
                    place.next = .now + min(Self.grace, every)
                }
            }
        } catch {
            place.failures += 1
            let factor = Double(1 << min(place.failures, 10))
            place.next = .now + spread(min(every * factor, Self.rarest), from: 0.8)
            // Once: a repository that is away is away for long.
            if place.failures == 1 {
                logger.warning(
                    "a branch cannot be looked at for pushes that were missed",
                    metadata: ["service": "\(service.name)", "error": "\(error)"])
            }
        }
        places[target] = place
    }

    /// Something was deployed before, and nothing is on its way that will find the tip itself.
    private func isToBeAsked(_ target: Target) async throws -> Bool {
        guard try await actions.store.openReleases(target).isEmpty else { return false }
        return try await actions.store.releases(target, limit: 200).contains { $0.trigger.isDeploy }
    }

    private func isKnown(_ commit: CommitID, of reference: String, _ target: Target) async throws -> Bool {
        if try await actions.store.releases(target, limit: 200).contains(where: { $0.commit == commit }) {
            return true
        }
        return try await actions.store.deliveries(target.service, limit: 200).contains { delivery in
            guard delivery.changes.contains(commit.description) else { return false }
            let changes = try? JSONDecoder().decode([RefChange].self, from: Data(delivery.changes.utf8))
            // Another environment's branch may be at the same commit.
            return changes?.contains {
                $0.commit == commit && ($0.reference.isEmpty || $0.reference == reference)
            } ?? true
        }
    }

    private func found(_ tip: CommitID, _ service: RegisteredService, _ asked: RegisteredEnvironment)
        async throws
    {
        // It may have been changed, or removed, while repositories were asked, which takes long when some do not answer.
        guard let environment = try await actions.store.environment(asked.target),
            environment.branch == asked.branch, environment.autoDeploy, !environment.isProtected,
            let today = try await actions.store.service(service.name),
            MissedPushes.isAllowed(environment, today)
        else { return }
        let (target, reference) = (environment.target, RefName.full(environment.branch))
        let number = PullReference.number(reference)
        let change = RefChange(
            reference: reference, commit: tip, pullRequest: number,
            stranger: number.map { _ in "from a fork" })
        let changes = try JSONEncoder().encode([change])
        var delivery = Delivery(
            identifier: "missed-\(tip)" + (target.environment == .production ? "" : "-\(target.environment)"),
            service: service.name.description, provider: service.provider,
            event: "missed push", reference: reference, verdict: "", release: nil, status: 200, at: .now)
        delivery.changes = String(decoding: changes, as: UTF8.self)
        let hadDelivery = try await actions.store.deliveries(service.name, limit: 1000).contains {
            $0.status < 300
        }
        let obstacle: String? =
            if service.missed == .warn {
                "no delivery told of this push"
            } else if !hadDelivery {
                "no delivery told of this push, as of none before: is there a webhook at the forge?"
            } else { environment.obstacle?.reason }
        if let obstacle {
            delivery.verdict = "ignored: \(obstacle); deploy it with: kinto deploy \(target.words)"
            try await actions.store.record(delivery)
        } else {
            var new = NewRelease(
                target: target, commit: nil, branch: environment.branch, trigger: .webhook)
            new.tip = tip
            new.identify(by: "webhook \(service.name) missed-\(tip)")
            new.delivery = delivery
            new.audit = .trigger(
                "kinto", .webhook, of: target, "push of \(environment.branch) that no delivery told of")
            _ = try await actions.take(new)
        }
        logger.warning(
            "no delivery told of a push",
            metadata: [
                "service": "\(service.name)", "commit": "\(tip.short)",
                "outcome": "\(obstacle ?? "it is deployed")",
            ])
    }

    /// A time between that share of it and the whole, so that many services are not asked at once.
    private func spread(_ time: Duration, from share: Double) -> Duration {
        time * Double.random(in: share...1)
    }
}
