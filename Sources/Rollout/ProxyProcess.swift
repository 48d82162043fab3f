// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import KintoCore
public import Wire

/// Sees to it that a proxy runs as it should: takes over the one that does, has it replaced by one with the present
/// version and settings, or starts one. Each has a supervisor of its own, which starts it again when it dies, whether or
/// not there is a control server then.
public actor ProxyProcess {
    /// Who serves.
    public struct Serving: Sendable {
        public let process: ProcessIdentity
        /// Ending it (SIGTERM) ends the proxy for good.
        public let supervisor: ProcessIdentity?
        public let addresses: ProxyAddresses
        public let version: String
    }

    let home: Home
    let supervisors: SupervisorClient
    let settings: ProxySettings
    let version: String
    let routes: Routes
    private var busy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// How long a proxy that was replaced goes on with requests and tunnels that it has.
    public static let drain = TimeSpan.seconds(600)

    public init(
        home: Home, supervisors: SupervisorClient, settings: ProxySettings, version: String, routes: Routes
    ) {
        self.home = home
        self.supervisors = supervisors
        self.settings = settings
        self.version = version
        self.routes = routes
    }

    /// Returns when a proxy answers, with the version and the settings of this server.
    /// - Throws: `Failure` of code `proxy-start` or `proxy-replace` with what it said, or of those of
    ///   `ListenAddress.check`. A proxy that could not be replaced serves on.
    @discardableResult
    public func ensure() async throws -> Serving {
        try await alone {
            guard let running = try? await routes.hello() else { return try await start() }
            if isRight(running) { return try await serving() }
            do { return try await replace(drain: Self.drain) } catch {
                // A replacement that an earlier server began may have come first.
                guard let now = try? await routes.hello(), now.process != running.process else { throw error }
                return try await isRight(now) ? serving() : replace(drain: Self.drain)
            }
        }
    }

    private func isRight(_ hello: Routes.Hello) -> Bool {
        hello.version == version && hello.addresses == settings.addresses
            && hello.limits == settings.limits.texts
    }

    /// Has the proxy replaced by a new process: it hands its listening sockets over, and visitors notice nothing.
    /// - Parameter drain: how long the old one goes on with requests and tunnels that it has.
    /// - Throws: `Failure` of code `proxy-replace`; then the old one serves on.
    public func restart(drain: TimeSpan = ProxyProcess.drain) async throws -> Serving {
        try await alone {
            guard (try? await routes.hello()) != nil else { return try await start() }
            return try await replace(drain: drain)
        }
    }

    /// Watches the proxy until the task is cancelled; when none answers, one is started.
    public func watch(_ report: @Sendable (String) -> Void) async {
        while !Task.isCancelled {
            do {
                // Seen before, so that a change at any later moment is noticed.
                let place = ProxyPlace.current(in: home.proxies)
                let serving = try await alone {
                    (try? await routes.hello()) == nil ? try await start() : try await self.serving()
                }
                try await routes.refresh()
                let isReplaced = await ended(serving.process, at: place)
                if Task.isCancelled { return }
                if !isReplaced { report("the proxy ended and is started again") }
            } catch {
                report("\(error)")
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    // MARK: Starting

    /// One after the other.
    private func alone<T: Sendable>(_ body: () async throws -> T) async rethrows -> T {
        while busy { await withCheckedContinuation { waiting.append($0) } }
        busy = true
        defer {
            busy = false
            if !waiting.isEmpty { waiting.removeFirst().resume() }
        }
        return try await body()
    }

    private func serving() async throws -> Serving {
        let hello = try await routes.hello()
        let state = try? SupervisorState.read(home.proxyState)
        return Serving(
            process: hello.process,
            supervisor: state.flatMap { $0.supervisor.isRunning ? $0.supervisor : nil },
            addresses: hello.addresses, version: hello.version)
    }

    /// None answers: its supervisor is about to start it again, or there is none.
    private func start() async throws -> Serving {
        if let place = ProxyPlace.current(in: home.proxies),
            let state = try? SupervisorState.read(place.state),
            state.supervisor.isRunning
        {
            if try await answers(place, while: state.supervisor) { return try await serving() }
            await SupervisorHandle(
                supervisor: state.supervisor, statePath: place.state, identifier: state.identifier, grace: 0
            ).stop(grace: 0)
        }
        try settings.check()
        guard let place = try await launch(drain: Self.drain) else {
            throw Failure(
                code: "proxy-start", "the proxy could not be started on \(settings.listen)",
                evidence: lastWords,
                hints: [
                    .init("give it another address", command: "kinto serve --proxy-listen 127.0.0.1:PORT")
                ])
        }
        await tidy(except: place)
        return try await serving()
    }

    private func replace(drain: TimeSpan) async throws -> Serving {
        guard let place = try await launch(drain: drain) else {
            throw Failure(
                code: "proxy-replace", "the proxy could not be replaced; the old one serves on",
                evidence: lastWords, hints: [.init("try again", command: "kinto proxy restart")])
        }
        await tidy(except: place)
        return try await serving()
    }

    /// Starts a proxy in a place of its own; it asks the one that serves for the sockets by itself, so that it ends well
    /// whatever becomes of this server.
    /// - Returns: its place when it serves; nil when it gave up.
    private func launch(drain: TimeSpan) async throws -> ProxyPlace? {
        // Until it is recorded who has the place: another one that starts a proxy meanwhile would take it for one that is
        // left over.
        let alone = try await lock()
        sweep(except: nil)
        let place = try ProxyPlace.make(in: home.proxies)
        let spec = spec(place, drain)
        let handle = try await supervisors.start(spec) { supervisor in
            // Before it runs: who finds the place without it knows that nothing runs there.
            let state = SupervisorState(
                identifier: spec.identifier, phase: .running, supervisor: supervisor, process: nil,
                startedAt: .now, changedAt: .now)
            try Files.replace(spec.statePath, with: state.fields.encoded())
        }
        flock(alone.raw, LOCK_UN)
        if try await answers(place, while: handle.supervisor) { return place }
        if place.isCurrent { return place }
        await handle.stop(grace: 0)
        // Had it become the one in this very moment, the watch would start another.
        await tidy(except: nil)
        return nil
    }

    /// Removes what is left of proxies that have ended.
    private func tidy(except kept: ProxyPlace?) async {
        guard let alone = try? await lock() else { return }
        sweep(except: kept)
        flock(alone.raw, LOCK_UN)
    }

    /// Of the places, against others that start proxies; free at the latest when the descriptor goes.
    private func lock() async throws -> Descriptor {
        let directory = try Descriptor.open(home.proxies, O_RDONLY | O_DIRECTORY)
        try await Blocking.run { while flock(directory.raw, LOCK_EX) != 0, errno == EINTR {} }
        return directory
    }

    private func sweep(except kept: ProxyPlace?) {
        for place in ProxyPlace.all(in: home.proxies) where place != kept && !place.isCurrent {
            let state = try? SupervisorState.read(place.state)
            if state?.supervisor.isRunning != true { try? Files.removeTree(place.directory) }
        }
    }

    private var lastWords: [String] {
        let said = (try? Files.tail(home.proxyLog, 400)).map { String(decoding: $0, as: UTF8.self) }
        return (said ?? "").split(separator: "\n").suffix(2).map(String.init)
    }

    private func spec(_ place: ProxyPlace, _ drain: TimeSpan) -> SupervisorSpec {
        let words =
            [
                supervisors.runtime, "proxy", "--socket", place.socket, "--snapshot", home.proxySnapshot,
                "--version", version, "--take-over", String(drain.milliseconds),
            ] + settings.words(home)
        return SupervisorSpec(
            identifier: "proxy-\(settings.listen)-\(place.number ?? 0)", mode: .service,
            command: "exec " + words.map(ShellWord.quoted).joined(separator: " "), workingDirectory: "/",
            environment: ["LC_ALL=C", "PATH=/usr/bin:/bin"], logPath: home.proxyLog, logStyle: .console,
            logLimit: 1 << 20, secrets: [], statePath: place.state, stopSignal: SIGTERM, stopGrace: 2_000,
            backOffLimit: 200, finalStatus: ProxyPlace.finalStatus)
    }

    /// Waits until the place is the one that serves, and answers: its link and its socket appear, which is waited for and
    /// not polled. False when it does not come.
    private func answers(_ place: ProxyPlace, while parent: ProcessIdentity) async throws -> Bool {
        try await Blocking.run { () -> Bool in
            // Without one, which the kernel has only a few of, it is looked again after a while.
            let raw = kinto_inotify()
            let watch = raw >= 0 ? Descriptor(owning: raw) : nil
            inotify_add_watch(raw, place.parent, UInt32(IN_MOVED_TO))
            inotify_add_watch(raw, place.directory, UInt32(IN_CREATE))
            guard let life = parent.open() else { return false }
            let latest = ContinuousClock.now + .seconds(12)
            while ContinuousClock.now < latest {
                if place.isCurrent, (try? UnixSocket.connect(place.socket)) != nil { return true }
                var polls = [
                    pollfd(fd: raw, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0),
                ]
                // The socket is there a moment before it is listened to.
                poll(&polls, 2, 50)
                if polls[1].revents != 0 { return false }
                var buffer = [UInt8](repeating: 0, count: 4096)
                while let watch, read(watch.raw, &buffer, buffer.count) > 0 {}
            }
            return false
        }
    }

    // MARK: Ends

    /// Returns when the process ended, or another place became the one that serves: true.
    private func ended(_ process: ProcessIdentity, at place: ProxyPlace?) async -> Bool {
        let parent = home.proxies
        guard let life = await process.life() else { return ProxyPlace.current(in: parent) != place }
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        let ends = ReadSource(life) {
            var poller = pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0)
            if poll(&poller, 1, 0) > 0 { continuation.finish() }
        }
        let changes = DirectoryWatch.shared?.subscribe(parent) { _ in
            if ProxyPlace.current(in: parent) != place { continuation.finish() }
        }
        // Before the watch began.
        if ProxyPlace.current(in: parent) != place { continuation.finish() }
        for await _ in stream {}
        ends.cancel()
        withExtendedLifetime(changes) {}
        return ProxyPlace.current(in: parent) != place
    }
}
