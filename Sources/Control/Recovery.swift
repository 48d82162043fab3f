// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Logging
internal import Rollout
internal import Runner
internal import Wire

/// Makes the record and the world agree when the server starts: what serves is taken over, what was interrupted goes
/// on by a written rule, what nobody knows is ended.
struct Recovery: Sendable {
    let home: Home
    let store: Store
    let actions: Actions
    let ports: PortAllocator
    let logger: Logger

    /// Before the lanes start.
    /// - Returns: the live releases whose processes are gone (a reboot) and have to be started again.
    func takeOver() async throws -> [Release] {
        let live = try await store.allLive()
        let open = try await store.openReleases()
        for release in live + open { ports.reserve(release.instances.map(\.port)) }
        try await settleInterrupted(open)
        var gone: [Release] = []
        var routes: [RoutingTable.Route] = []
        var policies: [String: RoutePolicy] = [:]
        for environment in try await store.environments() {
            let target = environment.target
            let release = try await store.live(target)
            policies[target.description] = RoutePolicy(environment)
            guard let release, release.manifest != nil else {
                routes.append(.init(identifier: target.description, hosts: ["\(target.label).localhost"]))
                continue
            }
            let running = release.instances.filter(\.supervisor.isRunning)
            var route = Deployment.route(release, to: running)
            if running.isEmpty, !environment.suspended {
                gone.append(release)
                // It is coming.
                route.hold = RoutePolicy.longHold.milliseconds
            }
            routes.append(route)
        }
        do { try await actions.routes.replace(routes, policies: policies) } catch
            where actions.routes.isExternal
        {
            // Somebody else's program may come later, after a reboot for example.
            logger.error("the proxy does not have the routes yet", metadata: ["error": "\(error)"])
        }
        try await endStrays()
        return gone
    }

    /// The rule: before the swap began a release begins again; from then on it is brought to its end, for the proxy
    /// may have been told already, and its instances were proven.
    private func settleInterrupted(_ open: [Release]) async throws {
        for release in open where release.status == .deploying {
            let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
            log.reopen()
            let stage = release.stage?.rawValue ?? "start"
            let isProven =
                release.stage == .swap && !release.instances.isEmpty
                && release.instances.allSatisfy(\.supervisor.isRunning)
            if release.live || isProven {
                log.append(.detail("The server was restarted at \(stage); this release is live"))
                try await store.update(release.id, step: "finished after a restart") { release in
                    release.status = .deployed
                    release.live = true
                    release.liveAt = release.liveAt ?? .now
                    release.finishedAt = .now
                    release.stage = nil
                }
                log.close()
            } else if release.abortRequested {
                await actions.rollout.stop(release.instances, grace: .seconds(5))
                try await store.update(release.id, step: "aborted after a restart") { release in
                    release.status = release.endedStatus
                    release.finishedAt = .now
                    release.stage = nil
                    release.instances = []
                }
                log.append(.trouble("Release \(release.number) was aborted"))
                log.close()
            } else {
                await actions.rollout.stop(release.instances, grace: .seconds(5))
                log.append(.trouble("Interrupted at \(stage) by a restart of the server; beginning again"))
                try await store.update(release.id, step: "interrupted at \(stage)") { release in
                    release.status = .queued
                    release.stage = nil
                    release.instances = []
                }
            }
        }
    }

    /// Watches and keeps on what an earlier server did; stops what an interrupted swap left of releases that are not
    /// live any more.
    func retireOld() async {
        for live in (try? await store.allLive()) ?? [] {
            if let plan = try? await actions.deployment.plan(live) { await actions.keeper.watch(live, plan) }
        }
        for environment in (try? await store.environments()) ?? [] {
            for release in (try? await store.releases(environment.target, limit: 100)) ?? []
            where !release.live && release.status.isFinal && !release.instances.isEmpty {
                if let until = release.warmUntil, until > .now {
                    await actions.keeper.schedule(release)
                    continue
                }
                _ = try? await actions.routes.drain(
                    release.upstream, release.manifest?.rollout.drain ?? .seconds(30))
                await actions.rollout.stop(
                    release.instances, grace: release.manifest?.rollout.stop.grace ?? .seconds(30))
                _ = try? await store.update(release.id, step: "stopped after a restart") { $0.instances = [] }
            }
        }
    }

    /// Processes of this home that no live release has.
    private func endStrays() async throws {
        var recorded = try await store.allLive()
        for environment in try await store.environments() {
            recorded += try await store.releases(environment.target, limit: 100)
        }
        let known = Set(recorded.flatMap(\.instances).map { "KINTO_INSTANCE_ID=\($0.identifier)" })
        let mark = "KINTO_HOME_ID=\(ProcessEnvironment.homeMark(home))"
        try await Blocking.run {
            Strays.end { entries in
                entries.contains(mark) && !entries.contains { known.contains($0) }
            }
        }
    }
}
