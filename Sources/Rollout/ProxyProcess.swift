// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import KintoCore
public import Wire

/// Sees to it that a proxy runs: takes over the one that does, or starts one under a supervisor of its own, which starts
/// it again when it dies, whether or not there is a control server then.
public struct ProxyProcess: Sendable {
    let home: Home
    let supervisors: SupervisorClient
    let listen: ListenAddress
    let limits: ProxyLimits
    let version: String
    let routes: Routes

    /// - Parameter limits: of a proxy that is started; one that runs keeps its own.
    public init(
        home: Home, supervisors: SupervisorClient, listen: ListenAddress, limits: ProxyLimits,
        version: String, routes: Routes
    ) {
        self.home = home
        self.supervisors = supervisors
        self.listen = listen
        self.limits = limits
        self.version = version
        self.routes = routes
    }

    /// The supervisor, if it runs. Ending it (SIGTERM) ends the proxy for good.
    public var supervisor: ProcessIdentity? {
        let state = try? SupervisorState.read(home.proxyState)
        return state.flatMap { $0.supervisor.isRunning ? $0.supervisor : nil }
    }

    /// Returns when a proxy answers.
    /// - Throws: `Failure` of code `proxy-start` with what it said, or of those of `ListenAddress.check`.
    @discardableResult
    public func ensure() async throws -> ProcessIdentity {
        if let running = try? await routes.hello() { return running.process }
        let parent: ProcessIdentity
        if let supervisor {
            parent = supervisor
        } else {
            try listen.check()
            parent = try await supervisors.start(spec) { _ in }.supervisor
        }
        guard try await answers(while: parent) else {
            await SupervisorHandle(supervisor: parent, statePath: home.proxyState, identifier: "", grace: 0)
                .stop(grace: 0)
            let said =
                (try? Files.read(home.proxyLog)).map { String(decoding: $0.suffix(400), as: UTF8.self) } ?? ""
            throw Failure(
                code: "proxy-start", "the proxy could not be started on \(listen)",
                evidence: said.split(separator: "\n").suffix(2).map(String.init),
                hints: [
                    .init("give it another address", command: "kinto serve --proxy-listen 127.0.0.1:PORT")
                ])
        }
        return try await routes.hello().process
    }

    private var spec: SupervisorSpec {
        let words =
            [
                supervisors.runtime, "proxy", "--socket", home.proxySocket, "--snapshot", home.proxySnapshot,
                "--listen", listen.description, "--version", version,
            ] + limits.texts.flatMap { ["--limit", $0] }
        return SupervisorSpec(
            identifier: "proxy-\(listen)", mode: .service,
            command: "exec " + words.map(ProxyProcess.quoted).joined(separator: " "), workingDirectory: "/",
            environment: ["LC_ALL=C", "PATH=/usr/bin:/bin"], logPath: home.proxyLog, logStyle: .console,
            logLimit: 1 << 20, secrets: [], statePath: home.proxyState, stopSignal: SIGTERM, stopGrace: 2_000,
            backOffLimit: 200)
    }

    /// One word for the shell.
    private static func quoted(_ word: String) -> String {
        "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    /// Its socket appears in the directory when it serves: waited for, not polled. False when it does not come.
    private func answers(while parent: ProcessIdentity) async throws -> Bool {
        let socket = home.proxySocket
        return try await Blocking.run { () -> Bool in
            let watch = Descriptor(owning: try check("inotify_init") { kinto_inotify() })
            inotify_add_watch(watch.raw, Files.parent(of: socket), UInt32(IN_CREATE))
            guard let life = parent.open() else { return false }
            for _ in 0..<500 {
                if (try? UnixSocket.connect(socket)) != nil { return true }
                var polls = [
                    pollfd(fd: watch.raw, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0),
                ]
                poll(&polls, 2, 10)
                if polls[1].revents != 0 { return false }
                var buffer = [UInt8](repeating: 0, count: 4096)
                _ = read(watch.raw, &buffer, buffer.count)
            }
            return false
        }
    }

    /// Watches the proxy until the task is cancelled; a dead one is replaced.
    public func watch(_ report: @Sendable (String) -> Void) async {
        while !Task.isCancelled {
            do {
                let process = try await ensure()
                try await routes.refresh()
                await ended(process)
                if Task.isCancelled { return }
                report("the proxy ended and is started again")
            } catch {
                report("\(error)")
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func ended(_ process: ProcessIdentity) async {
        guard let life = process.open() else { return }
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        let source = ReadSource(life) {
            var poller = pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0)
            if poll(&poller, 1, 0) > 0 { continuation.finish() }
        }
        for await _ in stream {}
        source.cancel()
        var status: Int32 = 0
        waitpid(process.pid, &status, WNOHANG)
    }
}
