// SPDX-License-Identifier: Apache-2.0
public import KintoCore

/// What an environment does with an event. The events of a push that is about other branches, or removes one, never deploy and
/// never stop anything.
public enum DeliveryDecision: Sendable, Equatable {
    case deploy(RefChange)
    case ignore(reason: String, reference: String)

    /// What the environments of a service do: those that the event is about, or the first if it is about none.
    public static func all(_ event: ForgeEvent, for environments: [RegisteredEnvironment]) -> [(
        environment: RegisteredEnvironment, decision: DeliveryDecision
    )] {
        guard
            let first = environments.first(where: { $0.target.environment == .production })
                ?? environments.first
        else { return [] }
        guard event.ignored == nil else { return [(first, DeliveryDecision(event, for: first))] }
        let concerned = environments.filter { environment in
            let pattern = environment.pattern
            return event.changes.contains { concerns($0, environment, pattern) }
        }
        guard concerned.isEmpty else {
            return concerned.map { ($0, DeliveryDecision(event, for: $0)) }
        }
        return [(first, elsewhere(event.changes, environments))]
    }

    public init(_ event: ForgeEvent, for environment: RegisteredEnvironment) {
        if let reason = event.ignored {
            self = .ignore(reason: reason, reference: "")
            return
        }
        guard let change = Self.last(of: event.changes, environment) else {
            self = Self.elsewhere(event.changes, [environment])
            return
        }
        guard let reference = change.reference.isEmpty ? environment.pattern.reference : change.reference
        else {
            self = .ignore(
                reason:
                    "it names no branch, and \(environment.target.environment) deploys \(environment.pattern.words)",
                reference: "")
            return
        }
        if change.isRemoved {
            self = .ignore(
                reason: "\(RefName.words(RefChange.shown(reference))) was deleted; what runs stays",
                reference: reference)
        } else if let marker = change.skipMarker {
            self = .ignore(reason: "the commit says \(marker)", reference: reference)
        } else if let obstacle = environment.obstacle {
            self = .ignore(reason: obstacle.reason, reference: reference)
        } else {
            var change = change
            change.reference = reference
            self = .deploy(change)
        }
    }

    /// A sender that named no branch means the one that production deploys.
    private static func concerns(
        _ change: RefChange, _ environment: RegisteredEnvironment, _ pattern: RefPattern
    ) -> Bool {
        if change.pullRequest != nil {
            return environment.previewUntil != nil && !change.isRemoved && pattern.matches(change.reference)
        }
        return change.reference.isEmpty
            ? environment.target.environment == .production
            : !environment.isOfFork && pattern.matches(change.reference)
    }

    /// What a record keeps of a push of thousands of references, to decide on it again: what environments deploy comes first, and
    /// of that what came last.
    public static func kept(_ changes: [RefChange], _ environments: [RegisteredEnvironment]) -> [RefChange] {
        let most = 100
        guard changes.count > most else { return changes }
        let patterns = environments.map { ($0, $0.pattern) }
        let fits = changes.map { change in patterns.contains { concerns(change, $0, $1) } }
        let order = changes.indices.reversed()
        let chosen = Set((order.filter { fits[$0] } + order.filter { !fits[$0] }).prefix(most))
        return changes.indices.filter(chosen.contains).map { changes[$0] }
    }

    /// Of several moves of one reference the last says where it is; of several references that fit, the last that is there
    /// counts.
    private static func last(of changes: [RefChange], _ environment: RegisteredEnvironment) -> RefChange? {
        var seen: Set<String> = []
        let pattern = environment.pattern
        let latest = changes.reversed().filter {
            concerns($0, environment, pattern) && seen.insert($0.reference).inserted
        }
        return latest.first { !$0.isRemoved } ?? latest.first
    }

    private static func elsewhere(_ changes: [RefChange], _ environments: [RegisteredEnvironment])
        -> DeliveryDecision
    {
        guard let first = changes.first else {
            return .ignore(reason: "the push changed nothing", reference: "")
        }
        let deployed = environments.prefix(5).map {
            "\($0.target.environment) deploys \($0.pattern.words)"
        }.joined(separator: ", ")
        let reason: String
        if let number = first.pullRequest {
            reason = "pull request \(number) has no preview"
        } else if changes.count > 1 {
            reason = "none of the \(changes.count) changes is deployed: \(deployed)"
        } else {
            let words = RefName.words(RefChange.shown(first.reference))
            reason =
                first.isRemoved
                ? "\(words) was deleted; what runs stays" : "\(words) is not deployed: \(deployed)"
        }
        return .ignore(reason: reason, reference: first.reference)
    }
}
