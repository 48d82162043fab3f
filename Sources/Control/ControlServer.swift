// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Hummingbird
internal import KintoCore
internal import Logging
internal import Rollout
internal import Runner
internal import ServiceLifecycle
internal import UnixSignals
internal import Wire

/// `kinto serve`: puts the parts together and runs them until a signal.
public enum ControlServer {
    /// Returns after SIGTERM or SIGINT, within five seconds; the proxy and the services go on.
    /// - Throws: `Failure` when it cannot start.
    public static func run(_ options: ServeOptions) async throws {
        signal(SIGPIPE, SIG_IGN)
        // glibc gives each thread that finds its heap busy one of its own, up to eight for a processor, and none gets smaller
        // again: two are enough for what the server does.
        kinto_limit_heaps(2)
        umask(0o077)
        try Fault.check()
        let home = options.home
        do { try home.prepare() } catch {
            throw Failure(
                code: "home-unusable", "the home directory cannot be used: \(error)",
                hints: [
                    .init(
                        "name another one with --home, or make it yours",
                        command: "chown -R \"$USER\" \(home.path)")
                ])
        }
        let lock = try HomeLock(home)
        var logger = Logger(label: "kinto", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .notice

        let listen = try ListenAddress(options.listen, option: "--listen")
        let proxyListen = try ListenAddress(options.proxyListen, option: "--proxy-listen")
        let secure = try options.proxyTLSListen.map { try ListenAddress($0, option: "--proxy-tls-listen") }
        let proxyLimits: ProxyLimits
        do { proxyLimits = try ProxyLimits(options.proxyLimits) } catch {
            throw Failure(code: "invalid-limit", "--proxy-limit: \(error)")
        }
        let fetchLimits: FetchLimits
        do { fetchLimits = try FetchLimits(options.fetchLimits) } catch {
            throw Failure(code: "invalid-limit", "--fetch-limit: \(error)")
        }
        try listen.check()
        let containment = try ContainmentSetup(options: options.containment, home: home).containment()

        let store = try Store(path: home.database, signs: home.signsOfUse())
        let git = try GitExecutor()
        let routes = Routes(driver: options.driver, domain: options.domain)
        let place = ServicePlace(port: options.urlPort(proxyListen), domain: options.domain)
        let ports = PortAllocator()
        let supervisors = SupervisorClient(runtime: options.runtimePath)
        let proxy = ProxyProcess(
            home: home, supervisors: supervisors,
            settings: .init(
                listen: proxyListen, secure: secure, redirects: options.redirectsToTLS, limits: proxyLimits),
            version: options.version, routes: routes)
        let rollout = RolloutController(
            supervisors: supervisors, routes: routes, ports: ports, containment: containment)
        let environment = ProcessEnvironment(inherited: inherited(), home: home)
        let halt = Halt()
        let deadlines = Deadlines(
            grace: StageLimit.short?.time.duration ?? .seconds(10),
            fetch: TimeSpan(milliseconds: fetchLimits.totalTime))
        let artifacts = try ArtifactStore(root: home.artifacts)
        let retention = Retention(
            home: home, store: store, artifacts: artifacts, git: git, settings: try options.retention(),
            logger: logger)
        let remotes = RemoteRepositories(
            home: home, store: store, fetcher: Fetcher(program: options.executablePath),
            limits: fetchLimits)
        let pipeline = Pipeline(
            home: home, store: store, git: git, artifacts: artifacts,
            jobs: Jobs(client: supervisors, halt: halt),
            fetcher: remotes,
            environment: environment, containment: containment,
            floor: FreeSpaceFloor(path: home.path, settings: retention.settings) { await retention.now() },
            builds: Slots("build slot", count: options.builds), deadlines: deadlines,
            checkAddresses: {
                do throws(Failure) {
                    if let port = $0.port {
                        try routes.driver.check(.init(identifier: $1.description, hosts: [], port: port))
                    }
                    try await routes.check(Deployment.hosts($1, $0), $0.port, of: $1)
                } catch { throw error.at(.fetch) }
                if let port = $0.port { try await PortCheck.check(port, $1, store: store, routes: routes) }
            },
            examineHost: {
                await HostExamination(store: store, routes: routes, reserve: containment.reserve)
                    .warnings($0, $1)
            })
        let restorer = Restorer(logger: logger)
        let keeper = ReleaseKeeper(
            home: home, store: store, rollout: rollout, routes: routes, restorer: restorer,
            logger: logger)
        let deployment = Deployment(
            home: home, store: store, pipeline: pipeline, rollout: rollout, environment: environment,
            keeper: keeper, routes: routes, restorer: restorer,
            rollouts: Slots("rollout slot", count: options.rollouts), deadlines: deadlines,
            place: place)
        await restorer.use { release, held in
            try await deployment.restore(release) { held.contains($0) }
        }
        let lanes = Lanes(store: store, home: home, halt: halt, deadlines: deadlines, logger: logger) {
            release, recorder in
            do { try await deployment.perform(release, recorder) } catch {
                await retention.soon()
                throw error
            }
            await retention.soon()
        }
        let actions = Actions(
            options: options, home: home, store: store, remotes: remotes, lanes: lanes, git: git,
            rollout: rollout,
            routes: routes, proxy: proxy,
            deployment: deployment, keeper: keeper, deadlines: deadlines, containment: containment,
            refusals: Refusals(store: store, logger: logger),
            traffic: TrafficLog { try await routes.counters() }, retention: retention,
            accounts: Accounts(store: store),
            audit: AuditLog(store: store, settings: retention.settings, logger: logger), logger: logger)
        await deadlines.use { await lanes.end($0, $1) }
        await keeper.whenCold { await actions.bringBack($0) }
        try await firstToken(actions)

        let external = routes.isExternal ? ExternalProxy(routes: routes, home: home) : nil
        do { if external == nil { try await proxy.ensure() } } catch let failure as Failure
            where failure.code == "proxy-replace"
        {
            // It serves with what it has; an address that cannot be had is no reason to serve another one unasked.
            if try await routes.hello().addresses.plain != proxyListen.description { throw failure }
            logger.error("proxy", metadata: ["event": "\(failure)"])
        }
        let recovery = Recovery(home: home, store: store, actions: actions, ports: ports, logger: logger)
        do { try await actions.finishRenamings() } catch {
            logger.error("files of a renamed service lie where they were", metadata: ["error": "\(error)"])
        }
        let removals = await actions.takeOverRemovals()
        let rest = try await recovery.takeOver()
        await retention.soon()
        let intake = actions.spool
        let reporter = Reporter(store: store, publicURL: options.publicURL, place: place, logger: logger)
        let missed = options.lookEvery.map { every in
            MissedPushes(actions, every: every, logger: logger) { try await remotes.tip($0, reference: $1) }
        }

        let scheduler = CronScheduler(
            store: store, clock: SystemClock(), logger: logger, carryOut: actions.carryOut)

        let server = APIServer(actions: actions, version: options.version)
        unlink(home.socket)
        let quiet = Logger(label: "http", factory: { _ in SwiftLogNoOpLogHandler() })
        let local = Application(
            router: try server.router(trusted: true),
            configuration: .init(address: .unixDomainSocket(path: home.socket)),
            onServerRunning: {
                chmod(home.socket, 0o600)
                await AcceptPause.add(to: $0)
            }, logger: quiet)
        let remote = Application(
            router: try server.router(trusted: false), server: .http1(configuration: APIServer.limits),
            configuration: .init(address: .hostname(listen.host, port: Int(listen.port))),
            onServerRunning: { await AcceptPause.add(to: $0) }, logger: quiet)
        let worker = BackgroundWork { [logger] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    let report = { @Sendable (text: String) in
                        logger.error("proxy", metadata: ["event": "\(text)"])
                    }
                    if let external { await external.watch(report) } else { await proxy.watch(report) }
                }
                group.addTask { await recovery.watchLives() }
                group.addTask { await recovery.endLogs() }
                group.addTask { await recovery.endStrays() }
                group.addTask { await recovery.unlockRepositories() }
                group.addTask { await recovery.retireOld(rest.left) }
                group.addTask { await actions.clear(removals) }
                group.addTask { await recovery.finishAfter() }
                group.addTask {
                    await actions.watchRuns()
                    await scheduler.run()
                }
                group.addTask { await recovery.stopInterrupted(rest.interrupted, rest.gone) }
                group.addTask {
                    await external?.ready()
                    await restorer.restore(rest.restorable)
                }
                await intake.take()
                // In the order of acceptance.
                for release in (try? await store.openReleases()) ?? [] { await lanes.wake(release.target) }
                group.addTask { await intake.run() }
                group.addTask { await missed?.run() }
                group.addTask {
                    await actions.previews.run(store, logger) { try await actions.removeEnvironment($0) }
                }
                group.addTask { await reporter.run() }
                group.addTask { await actions.traffic.run() }
                await group.waitForAll()
            }
        } stop: {
            // A drain may take longer than a stop is allowed to: what is recorded is enough for the next server.
            _ = await atMost(.seconds(2)) { await lanes.stop() }
        }
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(service: local), .init(service: remote), .init(service: worker),
                // The last is the first to be told.
                .init(service: StopDeadline(logger: logger)),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        configuration.maximumGracefulShutdownDuration = .seconds(3)
        announce(
            "kinto \(options.version) serves http://\(options.listen) (hooks and API) and \(external == nil ? "\(options.serviceAddresses) (services)" : "routes for \(options.proxyName)"); home \(home.path)"
        )
        do { try await ServiceGroup(configuration: configuration).run() } catch let error as ServiceGroupError
        {
            logger.notice("stopped", metadata: ["reason": "\(error)"])
        }
        unlink(home.socket)
        withExtendedLifetime(lock) {}
    }

    private static func inherited() -> [String: String] {
        var result: [String: String] = [:]
        for name in ["PATH", "HOME", "LANG", "TZ"] {
            if let value = getenv(name) { result[name] = String(cString: value) }
        }
        return result
    }

    private static func firstToken(_ actions: Actions) async throws {
        guard try await actions.store.hasNoAccount() else { return }
        let (_, token) = try await actions.accounts.addToken(AccountName("first-start"), .admin)
        try Files.replace(actions.home.tokenFile, with: Array("\(token)\n".utf8))
    }

    private static func announce(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}

/// What runs beside the doors.
private struct BackgroundWork: Service {
    let work: @Sendable () async -> Void
    let stop: @Sendable () async -> Void

    func run() async throws {
        await withGracefulShutdownHandler {
            let task = Task { await work() }
            try? await gracefulShutdown()
            task.cancel()
            await stop()
        } onGracefulShutdown: {
        }
    }
}

private struct Jobs: JobRunner {
    let client: SupervisorClient
    let halt: Halt

    func run(_ spec: SupervisorSpec, record: @escaping @Sendable (ProcessIdentity) async throws -> Void)
        async throws
        -> SupervisorState
    {
        try await client.run(spec, isLeft: { halt.hasBegun }, record: record)
    }

    func rejoin(_ job: Job) async throws -> Job.Fate {
        try await client.rejoin(job, isLeft: { halt.hasBegun })
    }
}

/// The stable port of a service belongs to one target, and to no other program.
enum PortCheck {
    static func check(_ port: UInt16, _ target: Target, store: Store, routes: Routes) async throws {
        for environment in try await store.environments()
        where environment.port == port && environment.target != target {
            throw Failure(
                stage: .fetch, code: "port-taken", "port \(port) belongs to service \(environment.target)",
                hints: [
                    Routes.way(
                        "port", "\(port == .max ? port - 1 : port + 1)", "\(target)", "\(environment.target)")
                ])
        }
        if await routes.routes.contains(where: { $0.identifier == target.description && $0.port == port }) {
            return
        }
        if let owner = Listeners.owner(of: port) {
            throw Failure(
                stage: .fetch, code: "port-taken",
                "port \(port) is taken by \(owner.name) (pid \(owner.pid))",
                hints: [.init("stop that program, or choose another 'port' in kinto.json")])
        }
    }
}
