// SPDX-License-Identifier: Apache-2.0
internal import HookReceiver
internal import KintoCore
internal import Runner
internal import Wire

extension Actions {
    /// The environments that an event decides on: with a new one for each branch that gets a preview, without those whose branch
    /// is gone.
    /// - Parameter changes: references in full, with whether each was removed.
    /// - Returns: the environments, what is said of the previews, and the references that need no further decision.
    func previewed(
        _ service: RegisteredService, _ environments: [RegisteredEnvironment],
        _ changes: [(reference: String, isRemoved: Bool)]
    ) async throws -> (environments: [RegisteredEnvironment], notes: [String], done: Set<String>) {
        try await follow(Preview.plan(service, environments, changes), service, environments)
    }

    /// Does what a plan says.
    func follow(
        _ plan: Preview.Plan, _ service: RegisteredService, _ environments: [RegisteredEnvironment]
    ) async throws -> (environments: [RegisteredEnvironment], notes: [String], done: Set<String>) {
        guard !plan.isEmpty else { return (environments, [], []) }
        let rule = service.previews
        var notes = plan.notes
        for preview in plan.opened {
            guard let rule else { continue }
            do {
                try await requireFreeName(preview.target)
                // One that was opened meanwhile is as good.
                guard try await store.open(preview, rule) else { continue }
                try await makeKnown(preview.target) { _ = try await store.remove(preview.target) }
                notes.append("\(preview.target) is the preview of \(RefName.words(shown(preview.branch)))")
            } catch let failure as Failure where failure.code == "host-taken" {
                notes.append(
                    "\(RefName.words(shown(preview.branch))) gets no preview: \(failure.message)")
            }
        }
        if let rule { try await store.set(plan.renewed, previewUntil: rule.end(after: .now)) }
        // On record before anybody is answered: a server that dies now ends them at its next start.
        try await store.set(plan.ended.map(\.target), previewUntil: .now)
        previews.wake()
        let ended = Set(plan.ended.map(\.target))
        return (
            try await store.environments(of: service.name).filter { !ended.contains($0.target) }, notes,
            plan.done
        )
    }

    private func shown(_ branch: String) -> String { RefChange.shown(branch) }

    /// What is a fork's never gets secrets.
    /// - Throws: `Failure` of code `from-fork`.
    func refuseStranger(_ target: Target, _ why: String) async throws {
        guard let environment = try await store.environment(target), environment.isOfFork else { return }
        throw Failure(
            code: "from-fork",
            "\(target) is the preview of \(RefName.words(environment.branch)) from a fork: \(why)",
            hints: [.init("read it, and merge it at the forge")])
    }

    /// - Throws: `Failure` of code `unknown-service` when the environment that variables are copied from is not there.
    func setPreviews(_ service: ServiceName, _ rule: PreviewRule?) async throws {
        try await require(Target(service: service))
        if let from = rule?.config { try await require(Target(service: service, environment: from)) }
        try await store.set(service, previews: rule)
    }
}
