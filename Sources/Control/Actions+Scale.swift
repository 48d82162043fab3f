// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

/// Another number of instances than kinto.json says.
extension Actions {
    /// Adds or takes instances of the live release; the numbers hold for later releases, too.
    /// - Parameter wanted: by type; nil: what kinto.json says.
    /// - Returns: how many of each type are to run then.
    func scale(_ target: Target, to wanted: [String: Int?]) async throws -> [String: Int] {
        try await require(target)
        for (type, number) in wanted {
            guard (0...100).contains(number ?? 0) else {
                throw Failure(code: "invalid-request", "the number of instances must be from 0 to 100")
            }
            guard ProcessGroup.isName(type) else {
                throw Failure(code: "invalid-request", "a process type has a name of a-z, 0-9, '-' and '_'")
            }
        }
        let environment = try await changeScale(target, wanted)
        let groups = try await rollout.gate.with(target) { () async throws -> [ProcessGroup] in
            guard let live = try await store.live(target), let plan = try await deployment.plan(live) else {
                return environment.wanted.map { ProcessGroup(name: $0, command: "", instances: $1) }
            }
            // A release without instances is suspended, or on its way to its successor; but a site needs none.
            let isIdle = live.instances.isEmpty && (live.manifest?.static == nil || environment.suspended)
            if !isIdle { try await fit(live, plan) }
            return plan.groups
        }
        return Dictionary(groups.map { ($0.name, $0.instances) }, uniquingKeysWith: { $1 })
    }

    private func changeScale(_ target: Target, _ wanted: [String: Int?]) async throws -> RegisteredEnvironment
    {
        let manifest = try await store.live(target)?.manifest
        return try await store.update(target) { environment in
            for (type, number) in wanted {
                if type == "web" {
                    environment.scale = number
                } else {
                    environment.scales[type] = number
                }
            }
            guard let groups = manifest?.groups(scale: environment.wanted) else { return }
            let known = groups.map(\.name)
            if let unknown = wanted.keys.sorted().first(where: {
                !known.contains($0) && wanted[$0] != .some(nil)
            }) {
                throw Failure(
                    code: "unknown-process",
                    "what is live of \(target) has no process type '\(unknown)': it has \(known.isEmpty ? "only files, which the proxy answers with" : known.joined(separator: ", "))"
                )
            }
            let isIdle = manifest?.static == nil && groups.allSatisfy { $0.instances == 0 }
            if wanted["web"] == 0 || isIdle {
                throw Failure(
                    code: "nothing-to-run",
                    wanted["web"] == 0
                        ? "web cannot be scaled to 0: visitors would find nothing"
                        : "nothing of \(target) would run",
                    hints: [
                        .init("stop it and keep everything", command: "kinto suspend \(target.words)")
                    ])
            }
        }
    }

    /// Starts what is missing, then stops what is too much.
    private func fit(_ live: Release, _ plan: RolloutPlan) async throws {
        let there = Set(live.instances.map(\.name))
        var missing: [String] = []
        for name in plan.names where !there.contains(name) {
            // What may not run beside its successor, which is about to start.
            if await !deployment.restorer.isHeld(live.target, ProcessGroup.type(of: name)) {
                missing.append(name)
            }
        }
        if !missing.isEmpty { try await add(missing, live, plan) }
        let wanted = Set(plan.names)
        let known = Set(plan.groups.map(\.name))
        let surplus = live.instances.filter { !wanted.contains($0.name) && known.contains($0.type) }
        if !surplus.isEmpty { try await take(surplus, live, plan) }
    }

    private func add(_ names: [String], _ live: Release, _ plan: RolloutPlan) async throws {
        let started = StartedInstances()
        let journal = ScaleRecord(store: store, id: live.id)
        do {
            try await rollout.raise(plan, names, journal, started)
            let web = (live.instances + started.all).web
            if web.count > live.instances.web.count {
                try await routes.set(Deployment.route(live, to: web, deployment.files.of(live)))
            }
            await watch(live, live.instances + started.all, plan)
        } catch {
            await rollout.stop(started.all, of: plan.manifest)
            try await forget(started.all, of: live, step: nil)
            throw error
        }
    }

    /// The watch, if there is one, goes on with the instances that are there now.
    private func watch(_ live: Release, _ instances: [Instance], _ plan: RolloutPlan) async {
        var live = live
        live.instances = instances
        await keeper.watch(live, plan)
    }

    /// No new requests first; then what they have is waited for.
    private func take(_ taken: [Instance], _ live: Release, _ plan: RolloutPlan) async throws {
        let now = try await store.release(live.target, live.number)?.instances ?? live.instances
        let kept = now.filter { one in !taken.contains { $0.identifier == one.identifier } }
        if !taken.web.isEmpty {
            try await routes.set(Deployment.route(live, to: kept.web, deployment.files.of(live)))
        }
        await watch(live, kept, plan)
        for instance in taken {
            guard let port = instance.port else { continue }
            _ = try? await routes.drain(live.upstream, plan.manifest.rollout.drain, port: port)
        }
        // Also what came to them as an earlier release.
        await rollout.waitForDrains(taken)
        await rollout.stop(taken, of: plan.manifest)
        try await forget(taken, of: live, step: "scaled to \(kept.count)")
    }

    private func forget(_ instances: [Instance], of live: Release, step: String?) async throws {
        try await store.update(live.id, step: step) { $0.instances.remove(instances) }
    }
}

/// Records instances that are added to a live release.
private struct ScaleRecord: RolloutJournal {
    let store: Store
    let id: Int64

    func enter(_ stage: Stage) async throws {}
    func starting(_ instance: Instance) async throws {
        try await store.update(id, step: "starting \(instance.name)") { $0.instances.put(instance) }
    }
    func swapping() async throws -> RolloutPlan.Previous? { nil }
    func clear(_ types: Set<String>) async throws {}
    func stopped(_ workers: [Instance], of previous: RolloutPlan.Previous) async {}
    func swapped(from previous: RolloutPlan.Previous?, baseline: Double) async throws {}
    func drained(_ receipt: Release.SwapReceipt) async throws {}
    func log(_ line: LogLine) async {}
}
