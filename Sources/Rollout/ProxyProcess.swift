// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import KintoCore
public import Wire

/// Sees to it that a proxy runs: takes over the one that does, starts one if none does, and again if it dies.
public struct ProxyProcess: Sendable {
    let home: Home
    let runtime: String
    let listen: ListenAddress
    let version: String
    let routes: Routes

    public init(home: Home, runtime: String, listen: ListenAddress, version: String, routes: Routes) {
        self.home = home
        self.runtime = runtime
        self.listen = listen
        self.version = version
        self.routes = routes
    }

    /// Returns when a proxy answers.
    /// - Throws: `Failure` of code `proxy-start` with what it said.
    @discardableResult
    public func ensure() async throws -> ProcessIdentity {
        if let running = try? await routes.hello() { return running.process }
        try listen.check()
        let log = try Descriptor.open(home.proxyLog, O_WRONLY | O_APPEND | O_CREAT)
        let pid = try Spawn(
            path: runtime,
            arguments: [
                "kinto-runtime", "proxy", "--socket", home.proxySocket, "--snapshot", home.proxySnapshot,
                "--listen", listen.description,
                "--version", version,
            ], environment: ["LC_ALL=C"], standardOutput: log, standardError: log, newSession: true
        ).start()
        guard let identity = ProcessIdentity(running: pid) else {
            throw Failure(code: "proxy-start", "the proxy ended at once")
        }
        // Its socket appears in the directory when it serves: waited for, not polled.
        let socket = home.proxySocket
        let started = try await Blocking.run { () -> Bool in
            let watch = Descriptor(owning: try check("inotify_init") { kinto_inotify() })
            inotify_add_watch(watch.raw, Files.parent(of: socket), UInt32(IN_CREATE))
            guard let life = identity.open() else { return false }
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
        guard started else {
            var status: Int32 = 0
            waitpid(pid, &status, WNOHANG)
            let said =
                (try? Files.read(home.proxyLog)).map { String(decoding: $0.suffix(400), as: UTF8.self) } ?? ""
            throw Failure(
                code: "proxy-start", "the proxy could not be started on \(listen)",
                evidence: said.split(separator: "\n").suffix(2).map(String.init),
                hints: [
                    .init("give it another address", command: "kinto serve --proxy-listen 127.0.0.1:PORT")
                ])
        }
        _ = try await routes.hello()
        return identity
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
