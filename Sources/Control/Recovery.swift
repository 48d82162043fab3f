// SPDX-License-Identifier: Apache-2.0
internal import Glibc
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
    private let began = Timestamp.now

    /// What is left to do when the doors are open.
    struct Rest: Sendable {
        /// Live releases of which instances are gone (a reboot).
        var gone: [Release] = []
        /// Releases that begin again and whose instances still run.
        var interrupted: [Release] = []
        /// Releases that were replaced and still run.
        var left: [Release] = []

        /// Those of which nothing is to be stopped first.
        var restorable: [Release] {
            gone.filter { release in !interrupted.contains { $0.target == release.target } }
        }
    }

    /// Puts in force what is on record: what serves is taken over, and visitors notice nothing. Nothing is waited for but
    /// the store and the proxy.
    func takeOver() async throws -> Rest {
        Fault.recovering.pass()
        var rest = Rest()
        let open = try await store.openReleases()
        for release in try await store.allLive() + open { ports.reserve(release.instances.ports) }
        rest.interrupted = try await settleInterrupted(open)
        var routes: [RoutingTable.Route] = []
        var policies: [String: RoutePolicy] = [:]
        for environment in try await store.environments() {
            let target = environment.target
            let release = try await store.live(target)
            rest.left += try await store.leftReleases(target)
            policies[target.description] = RoutePolicy(environment)
            guard let release, release.manifest != nil else {
                routes.append(.init(identifier: target.description, hosts: [target.ownHost]))
                continue
            }
            let running = release.instances.filter(\.supervisor.isRunning)
            let files = environment.suspended ? nil : try await actions.deployment.files.of(release)
            var route = Deployment.route(release, to: running.web, files)
            let wanted = release.manifest?.groups(scale: environment.wanted).flatMap(\.names) ?? []
            if !environment.suspended, !Set(running.map(\.name)).isSuperset(of: wanted) {
                rest.gone.append(release)
                // They are coming.
                if route.upstream == nil { route.hold = RoutePolicy.longHold.milliseconds }
            }
            if release.manifest?.takesRequests == true { routes.append(route) }
        }
        ports.reserve(rest.left.flatMap(\.instances.ports))
        do { try await actions.routes.replace(routes, policies: policies) } catch
            where actions.routes.isExternal
        {
            // Somebody else's program may come later, after a reboot for example.
            logger.error("the proxy does not have the routes yet", metadata: ["error": "\(error)"])
        }
        Fault.recovered.pass()
        return rest
    }

    /// How often a release is begun: one that the server did not survive so many times is given up.
    static let attempts = 5

    /// The rule: before the swap began a release goes on from what is recorded of it; from then on it is brought to its
    /// end, for the proxy may have been told already, and its instances were proven.
    /// - Returns: those that go on, and have instances that must be ended first.
    private func settleInterrupted(_ open: [Release]) async throws -> [Release] {
        var interrupted = open.filter { $0.status == .queued && !$0.instances.isEmpty }
        for release in open where release.status == .deploying {
            let log = ReleaseLog(path: home.releaseLog(release.target, release.number))
            log.reopen()
            let stage = release.stage?.rawValue ?? "start"
            let isProven =
                release.stage == .swap && (!release.instances.isEmpty || release.manifest?.static != nil)
                && release.instances.allSatisfy(\.supervisor.isRunning)
            if release.live || isProven {
                log.append(.detail("The server was restarted at \(stage); this release is live"))
                try await store.update(release.id, step: "finished after a restart") { release in
                    if !release.live { release.isAfterDue = release.after != nil }
                    release.status = .deployed
                    release.live = true
                    release.liveAt = release.liveAt ?? .now
                    release.finishedAt = .now
                    release.stage = nil
                    release.jobs = release.isAfterDue ? release.jobs.filter { $0.key == "after" } : [:]
                }
                log.close()
            } else if release.liveAt != nil {
                log.append(.detail("The server was restarted at \(stage); this release was replaced by then"))
                try await store.update(release.id, step: "finished after a restart") { release in
                    release.status = .deployed
                    release.finishedAt = .now
                    release.stage = nil
                    release.jobs = [:]
                    release.isAfterDue = false
                }
                log.close()
            } else if release.abortRequested {
                let words =
                    release.supersededBy.map { "Superseded by release \($0), a newer push" }
                    ?? "Release \(release.number) was aborted"
                try await end(release, as: release.endedStatus, log, words, nil)
            } else if release.attempts >= Recovery.attempts {
                let failure = Failure(
                    stage: release.stage, code: "interrupted",
                    "interrupted at \(stage): the server ended \(release.attempts) times while it deployed this",
                    hints: [
                        .init("look why the server ended", command: "kinto doctor"),
                        .init("deploy again", command: "kinto deploy \(release.target.words)"),
                    ])
                try await end(
                    release, as: .failed, log, "Release \(release.number) failed: \(failure.message)", failure
                )
            } else {
                log.append(.trouble("The server was restarted at \(stage); going on"))
                let queued = try await store.update(release.id, step: "interrupted at \(stage)") { release in
                    release.status = .queued
                    release.stage = nil
                }
                if !queued.instances.isEmpty { interrupted.append(queued) }
            }
        }
        return interrupted
    }

    /// A release that does not go on. Its processes are strays from here on.
    private func end(
        _ release: Release, as status: Release.Status, _ log: ReleaseLog, _ words: String, _ failure: Failure?
    ) async throws {
        try await store.update(release.id, step: "\(status.rawValue) after a restart") { release in
            release.status = status
            release.failure = failure
            release.finishedAt = .now
            release.stage = nil
            release.instances = []
            release.jobs = [:]
        }
        log.append(.trouble(words))
        log.close()
    }

    /// Runs what was to run when releases were live, and did not come to it.
    func finishAfter() async {
        for release in (try? await store.allLive()) ?? [] where release.isAfterDue && release.status.isFinal {
            Task { await actions.deployment.finishAfter(release) }
        }
    }

    /// Ends the logs of releases that ended without that: the server died, or its disk said no, between the two.
    func endLogs() async {
        for environment in (try? await store.environments()) ?? [] {
            for release in (try? await store.releases(environment.target, limit: 100)) ?? []
            where release.status.isFinal && release.finishedAt.map({ $0 < began }) == true {
                let path = home.releaseLog(release.target, release.number)
                guard Files.exists(path), !ReleaseLog.isClosed(path) else { continue }
                let log = ReleaseLog(path: path)
                if release.status == .superseded, let by = release.supersededBy {
                    log.append(.trouble("Superseded by release \(by), a newer push"))
                }
                log.close()
            }
        }
    }

    /// Lets pushes in again that a loss of power would keep out: what was locked before this boot is nobody's.
    func unlockRepositories() async {
        guard let boot = Timestamp.boot else { return }
        for service in (try? await store.services()) ?? [] where service.source == .hosted {
            let gone = try? await Blocking.run {
                RepositoryLocks.remove(from: service.repository, madeBefore: boot)
            }
            for path in gone ?? [] {
                logger.notice("removed a lock of before the last boot", metadata: ["path": "\(path)"])
            }
        }
    }

    /// Ends what an earlier server started of releases that begin again, then lets them.
    /// - Parameter gone: live releases of the same targets of which instances are gone: they wait for that, too.
    func stopInterrupted(_ releases: [Release], _ gone: [Release]) async {
        await withTaskGroup(of: Void.self) { group in
            for release in releases {
                group.addTask {
                    await actions.rollout.stop(
                        release.instances, of: release.manifest, longest: .seconds(5))
                    do {
                        try await store.update(release.id, step: "stopped what was started before") {
                            $0.instances = []
                        }
                    } catch {
                        logger.error("an interrupted release waits", metadata: ["error": "\(error)"])
                    }
                    if let live = gone.first(where: { $0.target == release.target }) {
                        Task { await actions.deployment.restorer.restore([live]) }
                    }
                    await actions.lanes.wake(release.target)
                }
            }
        }
    }

    /// Watches and keeps on what an earlier server did; stops what an interrupted swap left of releases that are not
    /// live any more.
    func retireOld(_ left: [Release]) async {
        for live in (try? await store.allLive()) ?? [] {
            if let plan = try? await actions.deployment.plan(live) { await actions.keeper.watch(live, plan) }
        }
        await withTaskGroup(of: Void.self) { group in
            for (target, releases) in Dictionary(grouping: left, by: \.target) {
                group.addTask {
                    do { try await actions.deployment.stopReplaced(target) } catch {
                        logger.error("workers cannot be stopped", metadata: ["error": "\(error)"])
                    }
                    for release in releases { await actions.keeper.takeOver(release) }
                }
            }
        }
    }

    /// An instance of a live release whose supervisor was killed, by the kernel for want of memory or by somebody, is
    /// started again.
    func watchLives() async {
        for release in (try? await store.allLive()) ?? [] {
            for instance in release.instances where instance.supervisor.isRunning {
                actions.rollout.lives.watch(instance)
            }
        }
        for await instance in actions.rollout.lives.losses {
            guard let release = try? await store.allLive().first(where: { $0.instances.contains(instance) }),
                (try? await store.environment(release.target))??.suspended == false
            else { continue }
            logger.error(
                "a supervisor was killed; its instance is started again",
                metadata: ["release": "\(release.upstream)", "instance": "\(instance.name)"])
            await actions.deployment.restorer.restore([release])
        }
    }

    /// Ends processes of this home that no release has, and that are older than this server.
    func endStrays() async {
        do {
            // Named before the records are read: what is made meanwhile is recorded first.
            let groups = [actions.containment.groups, actions.containment.groups.background]
            let found = groups.flatMap { groups in groups.names.map { groups.group(named: $0) } }
            var recorded = try await store.allLive() + store.openReleases()
            for environment in try await store.environments() {
                recorded += try await store.releases(environment.target, limit: 100)
                recorded += try await store.leftReleases(environment.target)
            }
            let runs = try await store.runs().map(\.identifier)
            let identifiers =
                runs
                + recorded.flatMap { release in
                    release.instances.map(\.identifier) + release.jobs.values.map(\.identifier)
                }
            let known = Set(identifiers.map { "KINTO_INSTANCE_ID=\($0)" })
            let mark = "KINTO_HOME_ID=\(ProcessEnvironment.homeMark(home))"
            try await Blocking.run {
                Strays.end(before: ProcessIdentity(running: getpid())) { entries in
                    entries.contains(mark) && !entries.contains { known.contains($0) }
                }
                // Also what hid its mark.
                let kept = Set(identifiers.flatMap { id in groups.map { ControlGroup($0, name: id).name } })
                for group in found where !kept.contains(group.name) { ControlGroup.end(group.directories) }
            }
        } catch {
            logger.error("processes without a record cannot be looked for", metadata: ["error": "\(error)"])
        }
    }
}
