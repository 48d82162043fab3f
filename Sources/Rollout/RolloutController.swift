// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// Moves a target to a release: start the new one, prove it, swap, drain the old one. On trouble before the swap only
/// the new one is stopped; after it there is only the way forward.
public struct RolloutController: Sendable {
    public let supervisors: SupervisorClient
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
        let started = StartedInstances()
        do {
            if !plan.names.isEmpty { try await journal.enter(.start) }
            try await raise(plan, plan.names.filter { plan.overlaps($0) }, journal, started)
            let alone = plan.names.filter { !plan.overlaps($0) }
            if !alone.isEmpty {
                // Last, so that they are away for as short as can be.
                try await journal.clear(Set(alone.map(ProcessGroup.type)))
                try await raise(plan, alone, journal, started)
            }
            try Task.checkCancellation()
            try Fault.healthy.reach()
            swap = try await self.swap(plan, to: started.all, journal)
        } catch {
            await withUncancelledTask { await stop(started.all, of: plan.manifest) }
            throw error
        }
        return try await withUncancelledTask {
            try swap.record.get()
            Fault.draining.pass()
            async let workers: Void = stopWorkers(of: swap.previous, journal)
            let receipt = await drain(
                swap.previous, before: swap.before, upstream: "\(plan.target)/\(plan.number)")
            await workers
            if receipt.cut > 0, let time = swap.previous?.manifest.rollout.drain {
                await journal.log(
                    .trouble("\(receipt.cut) requests were still on their way after \(time) and were cut"))
            }
            if swap.previous != nil { await journal.log(.detail("Swap: \(receipt.description)")) }
            try await journal.drained(receipt)
            return swap.previous
        }
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
            do {
                if plan.takesRequests {
                    try await routes.set(route(plan, instances.ports))
                } else {
                    try await routes.withdraw(plan.target.description)
                }
            } catch let failure as Failure { throw failure.at(.swap) }
            Fault.proxyTold.pass()
            let baseline = old.map { Double($0.recentErrors) / Double(max(1, $0.recent)) } ?? 0
            let record = await withUncancelledTask {
                await Result { try await journal.swapped(from: previous, baseline: baseline) }
            }
            return Swap(previous: previous, before: old, record: record)
        }
    }

    /// Drains and stops what is not in force any more.
    @discardableResult
    public func retire(_ old: RolloutPlan.Previous) async -> UInt64 {
        async let workers: Void = stop(old.instances.workers, of: old.manifest)
        var cut: UInt64 = 0
        let web = old.instances.web
        if old.tookRequests {
            cut = (try? await routes.drain(old.upstream, old.manifest.rollout.drain))?.cut ?? 0
            await waitForDrains(web)
            await stop(web, of: old.manifest)
        }
        await workers
        Fault.stopped.pass()
        return cut
    }

    /// They do what the new ones do already: they are not kept warm.
    private func stopWorkers(of previous: RolloutPlan.Previous?, _ journal: any RolloutJournal) async {
        guard let previous else { return }
        let workers = previous.instances.workers
        guard !workers.isEmpty else { return }
        await stop(workers, of: previous.manifest)
        await journal.stopped(workers, of: previous)
    }

    /// Waits for the requests that came to the instances under the name of an earlier release.
    public func waitForDrains(_ instances: [Instance]) async { await drains.ended(instances) }

    /// Side by side, each with the grace of its type.
    /// - Parameter longest: nil: as its settings say.
    public func stop(_ instances: [Instance], of manifest: Manifest?, longest: TimeSpan? = nil) async {
        lives.forget(instances)
        await withTaskGroup(of: Void.self) { group in
            for instance in instances {
                let usual = manifest?.stop(of: instance.type).grace ?? Manifest.Stop().grace
                group.addTask {
                    await SupervisorHandle(instance, grace: longest ?? usual).stop()
                    if let port = instance.port { ports.release(port) }
                }
            }
        }
    }

    private func route(_ plan: RolloutPlan, _ ports: [UInt16]) -> RoutingTable.Route {
        RoutingTable.Route(
            identifier: plan.target.description, hosts: plan.hosts, port: plan.manifest.port,
            upstream: .init(identifier: "\(plan.target)/\(plan.number)", ports: ports, files: plan.files))
    }

    /// Waits for the old release's last request, and counts what the swap touched.
    /// - Parameters:
    ///   - before: the old upstream's counters at the swap.
    ///   - upstream: the new one's name.
    public func drain(
        _ previous: RolloutPlan.Previous?, before: ProxyReply.Counters?, upstream: String
    ) async -> Release.SwapReceipt {
        var receipt = Release.SwapReceipt(requests: 0, failed: 0, delayed: 0)
        guard let previous, previous.tookRequests else { return receipt }
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
