// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// Moves a target to a release: start the new one, prove it, swap, drain the old one. On trouble before the swap only
/// the new one is stopped; after it there is only the way forward.
public struct RolloutController: Sendable {
    let supervisors: SupervisorClient
    let routes: Routes
    let ports: PortAllocator
    let containment: Containment
    public let gate = SwapGate()
    public let lives = Lives()
    private let drains = Drains()

    public init(
        supervisors: SupervisorClient, routes: Routes, ports: PortAllocator,
        containment: Containment = Containment()
    ) {
        self.supervisors = supervisors
        self.routes = routes
        self.ports = ports
        self.containment = containment
    }

    /// - Returns: what served before, drained and still running: the caller's to keep or to stop.
    /// - Throws: `Failure`, or `CancellationError` when the task was cancelled before the swap; in both cases nothing
    ///   of the new release runs and the old one serves as before.
    public func roll(_ plan: RolloutPlan, journal: any RolloutJournal) async throws -> RolloutPlan.Previous? {
        let swap: Swap
        var started: [Instance] = []
        do {
            try await journal.enter(.start)
            try await raise(plan, Array(1...max(1, plan.instances)), journal) { started.put($0) }
            try Task.checkCancellation()
            try Fault.healthy.reach()
            swap = try await self.swap(plan, to: started, journal)
        } catch {
            await withUncancelledTask { [started] in
                await stop(started, grace: plan.manifest.rollout.stop.grace)
            }
            throw error
        }
        return try await withUncancelledTask {
            try swap.record.get()
            Fault.draining.pass()
            let receipt = await drain(
                swap.previous, before: swap.before, upstream: "\(plan.target)/\(plan.number)")
            if receipt.cut > 0, let time = swap.previous?.manifest.rollout.drain {
                await journal.log(
                    .trouble("\(receipt.cut) requests were still on their way after \(time) and were cut"))
            }
            if swap.previous != nil { await journal.log(.detail("Swap: \(receipt.description)")) }
            try await journal.drained(receipt)
            return swap.previous
        }
    }

    /// Starts instances side by side and waits until all of them are live.
    /// - Parameter began: told of each as soon as it runs, one of the same name in its stead: whatever happens then, the
    ///   caller stops them.
    public func raise(
        _ plan: RolloutPlan, _ numbers: [Int], _ journal: any RolloutJournal,
        began: (Instance) -> Void
    ) async throws {
        var started: [(Instance, SupervisorHandle)] = []
        for number in numbers {
            try Task.checkCancellation()
            started.append(try await start("web.\(number)", plan, journal))
            began(started[started.count - 1].0)
        }
        try await journal.enter(.probe)
        for index in started.indices {
            for attempt in 1... {
                let (instance, handle) = started[index]
                do {
                    try await prove(instance, handle, plan, journal)
                    break
                } catch let failure as Failure
                    where attempt < Self.portAttempts && lostItsPort(instance, failure)
                {
                    await journal.log(
                        .detail("Another program took port \(instance.port) meanwhile: starting on another"))
                    await stop([instance], grace: .seconds(0))
                    started[index] = try await start(instance.name, plan, journal)
                    began(started[index].0)
                }
            }
        }
        let places = started.map { "\($0.0.name) on 127.0.0.1:\($0.0.port)" }
        await journal.log(.step("Healthy: \(places.joined(separator: ", "))"))
    }

    /// Ports cannot be kept for somebody: between the choice and the instance's own call another program may come.
    private static let portAttempts = 4

    private func lostItsPort(_ instance: Instance, _ failure: Failure) -> Bool {
        guard ["exited", "foreign-listener"].contains(failure.code) else { return false }
        let own = Set(Listeners.of(instance.supervisor, port: instance.port).map(\.inode))
        return Listeners.all(port: instance.port).contains { $0.isReachable && !own.contains($0.inode) }
    }

    /// What a swap replaced.
    private struct Swap {
        let previous: RolloutPlan.Previous?
        /// The old upstream's, at the swap.
        let before: ProxyReply.Counters?
        /// The requests go to the new release already, whatever came of recording it.
        let record: Result<Void, any Error>
    }

    private func swap(
        _ plan: RolloutPlan, to instances: [Instance], _ journal: any RolloutJournal
    ) async throws -> Swap {
        try await gate.with(plan.target) {
            let counters = (try? await routes.counters()) ?? []
            let previous = try await journal.swapping()
            try Fault.swapRecorded.reach()
            let old = counters.first { $0.upstream == previous?.upstream }
            do { try await routes.set(route(plan, instances.map(\.port))) } catch let failure as Failure {
                throw failure.at(.swap)
            }
            Fault.proxyTold.pass()
            let baseline = old.map { Double($0.recentErrors) / Double(max(1, $0.recent)) } ?? 0
            let record = await withUncancelledTask {
                await Result { try await journal.swapped(from: previous, baseline: baseline) }
            }
            return Swap(previous: previous, before: old, record: record)
        }
    }

    /// Takes the target's upstream away, drains and stops what serves it.
    public func stop(_ target: Target, _ live: RolloutPlan.Previous, hosts: [String]) async throws {
        try await routes.set(
            RoutingTable.Route(identifier: target.description, hosts: hosts, port: live.manifest.port))
        await retire(live)
    }

    /// Drains and stops what is not in force any more.
    @discardableResult
    public func retire(_ old: RolloutPlan.Previous) async -> UInt64 {
        let drained = try? await routes.drain(old.upstream, old.manifest.rollout.drain)
        await waitForDrains(old)
        await stop(old.instances, grace: old.manifest.rollout.stop.grace)
        Fault.stopped.pass()
        return drained?.cut ?? 0
    }

    /// Waits for the requests that came to the instances under the name of an earlier release.
    public func waitForDrains(_ old: RolloutPlan.Previous) async { await drains.ended(old.instances) }

    public func stop(_ instances: [Instance], grace: TimeSpan) async {
        lives.forget(instances)
        for instance in instances {
            await SupervisorHandle(instance, grace: grace).stop()
            ports.release(instance.port)
        }
    }

    private func route(_ plan: RolloutPlan, _ ports: [UInt16]) -> RoutingTable.Route {
        RoutingTable.Route(
            identifier: plan.target.description, hosts: plan.hosts, port: plan.manifest.port,
            upstream: .init(identifier: "\(plan.target)/\(plan.number)", ports: ports))
    }

    /// Waits for the old release's last request, and counts what the swap touched.
    /// - Parameters:
    ///   - before: the old upstream's counters at the swap.
    ///   - upstream: the new one's name.
    public func drain(
        _ previous: RolloutPlan.Previous?, before: ProxyReply.Counters?, upstream: String
    ) async -> Release.SwapReceipt {
        var receipt = Release.SwapReceipt(requests: 0, failed: 0, delayed: 0)
        guard let previous else { return receipt }
        let drained = await drains.during(previous.instances) { [routes] in
            try? await routes.drain(previous.upstream, previous.manifest.rollout.drain)
        }
        if let (counters, cut) = drained {
            receipt.requests += before?.inFlight ?? 0
            receipt.requests += counters.requests - min(counters.requests, before?.requests ?? 0)
            receipt.failed += counters.failed - min(counters.failed, before?.failed ?? 0)
            receipt.delayed += counters.delayed - min(counters.delayed, before?.delayed ?? 0)
            receipt.cut = cut
        }
        if let new = try? await routes.counters().first(where: { $0.upstream == upstream }) {
            receipt.requests += new.requests
            receipt.failed += new.failed
            receipt.delayed += new.delayed
        }
        return receipt
    }
}
