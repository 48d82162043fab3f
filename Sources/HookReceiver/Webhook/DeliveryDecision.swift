// SPDX-License-Identifier: Apache-2.0
public import KintoCore

/// What an environment does with an event. The events of a push that is about other branches, or removes one, never deploy and
/// never stop anything.
public enum DeliveryDecision: Sendable, Equatable {
    case deploy(RefChange)
    case ignore(reason: String, reference: String)

    public init(_ event: ForgeEvent, for environment: RegisteredEnvironment) {
        if let reason = event.ignored {
            self = .ignore(reason: reason, reference: "")
            return
        }
        // Of several moves of one branch the last says where it is.
        guard
            let change = event.changes.last(where: {
                $0.branch == environment.branch || $0.reference.isEmpty
            })
        else {
            self = Self.elsewhere(event.changes, environment)
            return
        }
        let reference = change.reference.isEmpty ? "refs/heads/\(environment.branch)" : change.reference
        if change.isRemoved {
            self = .ignore(
                reason: "branch '\(environment.branch)' was deleted; what runs stays", reference: reference)
        } else if let marker = change.skipMarker {
            self = .ignore(reason: "the commit says \(marker)", reference: reference)
        } else if let stopped = environment.deploysStopped {
            self = .ignore(reason: "automatic deploys are stopped: \(stopped)", reference: reference)
        } else {
            var change = change
            change.reference = reference
            self = .deploy(change)
        }
    }

    private static func elsewhere(_ changes: [RefChange], _ environment: RegisteredEnvironment)
        -> DeliveryDecision
    {
        guard let first = changes.first else {
            return .ignore(reason: "the push changed nothing", reference: "")
        }
        let deploys = "the branch that \(environment.target.environment) deploys"
        let reason: String
        if changes.count > 1 {
            reason = "none of the \(changes.count) changes is of '\(environment.branch)', \(deploys)"
        } else if let branch = first.branch {
            reason =
                first.isRemoved
                ? "branch '\(RefChange.shown(branch))' was deleted; what runs stays"
                : "'\(RefChange.shown(branch))' is not '\(environment.branch)', \(deploys)"
        } else {
            reason = "'\(RefChange.shown(first.reference))' is not a branch"
        }
        return .ignore(reason: reason, reference: first.reference)
    }
}
