// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

/// What operators do with the requests of a service, whatever release serves it.
extension Actions {
    func pause(_ target: Target) async throws {
        try await require(target)
        try await setPaused(target, true)
    }

    func setPaused(_ target: Target, _ paused: Bool) async throws {
        try routes.driver.check(RoutePolicy(paused: paused))
        let environment = try await store.update(target) { $0.paused = paused }
        try await routes.set(RoutePolicy(environment), for: target.description)
    }

    func close(_ target: Target, _ maintenance: Maintenance?) async throws {
        try await require(target)
        try routes.driver.check(RoutePolicy(maintenance: maintenance))
        let environment = try await store.update(target) { $0.maintenance = maintenance }
        try await routes.set(RoutePolicy(environment), for: target.description)
    }

    /// Replaces the proxy, which hands its sockets over.
    /// - Parameter drain: how long the old one goes on with what it has, in milliseconds; nil: the usual time.
    func restartProxy(drain: Int?) async throws -> ProxyProcess.Serving {
        guard (0...86_400_000).contains(drain ?? 0) else {
            throw Failure(code: "invalid-request", "the drain time must be from 0 to 24h")
        }
        if routes.isExternal {
            throw Failure(
                code: "proxy-setting", "this server uses \(options.proxyName), which kinto does not start",
                hints: [.init("restart it as you started it")])
        }
        return try await proxy.restart(drain: drain.map(TimeSpan.init(milliseconds:)) ?? ProxyProcess.drain)
    }

    /// Adds or takes instances of the live release; the number holds for later releases, too.
    /// - Parameter wanted: nil or 0: what kinto.json says.
    /// - Returns: how many run then.
    func scale(_ target: Target, to wanted: Int?) async throws -> Int {
        try await require(target)
        guard (0...100).contains(wanted ?? 0) else {
            throw Failure(code: "invalid-request", "the number of instances must be from 0 to 100")
        }
        let number = wanted == 0 ? nil : wanted
        try await store.update(target) { $0.scale = number }
        return try await rollout.gate.with(target) {
            guard let live = try await store.live(target), !live.instances.isEmpty,
                let plan = try await deployment.plan(live)
            else { return number ?? 0 }
            if live.instances.count < plan.instances {
                try await add(live, plan)
            } else if live.instances.count > plan.instances {
                try await take(live, plan)
            }
            return plan.instances
        }
    }

    private func add(_ live: Release, _ plan: RolloutPlan) async throws {
        var started: [Instance] = []
        let journal = ScaleRecord(store: store, id: live.id)
        do {
            try await rollout.raise(plan, Array(live.instances.count + 1...plan.instances), journal) {
                started.put($0)
            }
            try await routes.set(Deployment.route(live, to: live.instances + started))
            await watch(live, live.instances + started, plan)
        } catch {
            await rollout.stop(started, grace: plan.manifest.rollout.stop.grace)
            _ = try? await store.update(live.id) { $0.instances = live.instances }
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
    private func take(_ live: Release, _ plan: RolloutPlan) async throws {
        let kept = Array(live.instances.prefix(plan.instances))
        let taken = Array(live.instances.dropFirst(plan.instances))
        try await routes.set(Deployment.route(live, to: kept))
        await watch(live, kept, plan)
        for instance in taken {
            _ = try? await routes.drain(live.upstream, plan.manifest.rollout.drain, port: instance.port)
        }
        await rollout.stop(taken, grace: plan.manifest.rollout.stop.grace)
        try await store.update(live.id, step: "scaled to \(kept.count)") { $0.instances = kept }
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
    func swapped(from previous: RolloutPlan.Previous?, baseline: Double) async throws {}
    func drained(_ receipt: Release.SwapReceipt) async throws {}
    func log(_ line: LogLine) async {}
}
