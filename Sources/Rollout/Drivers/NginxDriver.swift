// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import KintoCore
public import Wire

/// nginx, told by a file that its configuration includes: written, tested, loaded, and confirmed by its workers.
public actor NginxDriver: ExternalProxyDriver {
    static let program = "nginx"
    /// How long nginx may take to load its configuration.
    static let patience = Duration.seconds(60)

    private let file: String
    private let command: String
    private let pidFile: String
    /// Which of the instances an upstream had, also one that left.
    private var ports: [String: Set<UInt16>] = [:]
    /// What nginx is known to have loaded.
    private var loaded: [UInt8]?
    private var version: (master: ProcessIdentity, text: String)?

    /// - Parameters:
    ///   - file: the file that is kinto's, whole.
    ///   - command: runs nginx, for a shell: `nginx`, or `sudo nginx -c …`. kinto adds `-T` and `-s reload`.
    ///   - pidFile: as in nginx's `pid`.
    public init(file: String, command: String, pidFile: String) {
        self.file = file
        self.command = command
        self.pidFile = pidFile
    }

    public func prepare(_ routes: [RoutingTable.Route]) async throws {
        let text = text(routes)
        if (try? Files.read(file)) != text { try put(text) }
    }

    public func apply(_ routes: [RoutingTable.Route]) async throws {
        let text = text(routes)
        guard let workers = NginxWorkers(pidFile: pidFile) else { throw stopped() }
        for route in routes {
            guard let upstream = route.upstream else { continue }
            ports[upstream.identifier, default: []].formUnion(upstream.ports)
        }
        let before = try? Files.read(file)
        if before == text, loaded == text { return }
        // Until it is over nobody knows what is loaded; an abort of the release must not leave it so.
        loaded = nil
        try await withUncancelledTask { try await self.load(text, workers, before: before) }
        loaded = text
    }

    private func load(_ text: [UInt8], _ workers: NginxWorkers, before: [UInt8]?) async throws {
        let serving = workers.now().serving
        var isTold = false
        do {
            if before != text { try put(text) }
            try await test()
            isTold = true
            try await reload(workers, replacing: serving)
        } catch {
            if let before, before != text {
                try? put(before)
                // Somebody else may have reloaded it, too.
                if isTold || workers.now().serving != serving { _ = try? await run("-s reload") }
            }
            throw error
        }
    }

    private func text(_ routes: [RoutingTable.Route]) -> [UInt8] {
        let groups = routes.sorted { $0.identifier < $1.identifier }.map {
            NginxFile.Group(name: name($0), hosts: $0.hosts, ports: open($0)?.ports ?? [])
        }
        return Array(NginxFile(groups: groups).text.utf8)
    }

    /// nginx may run as another user.
    private func put(_ text: [UInt8]) throws {
        do {
            try Files.makeDirectories(Files.parent(of: file), mode: 0o755)
            try Files.replace(file, with: text)
            try Wire.check("chmod", file) { chmod(file, 0o644) }
        } catch {
            throw Failure(
                code: "proxy-setting", "the file for nginx cannot be written: \(error)",
                hints: [
                    .init(
                        "name one that kinto may write",
                        command: "kinto serve --proxy nginx --nginx-file FILE")
                ])
        }
    }

    // MARK: Loading

    /// The whole configuration, with everybody's files.
    private func test() async throws {
        let tested = try await run("-T")
        guard tested.status == 0 else {
            throw Failure(
                code: "proxy-config", "nginx does not accept its configuration; what serves is as it was",
                evidence: Array(tested.errors.suffix(5)),
                hints: [.init("mend the file that it names", command: "\(command) -t")])
        }
        let mark = "# configuration file "
        let own = NginxDriver.resolved(file)
        let isIncluded = tested.output.split(separator: "\n").contains { line in
            line.hasPrefix(mark) && NginxDriver.resolved(String(line.dropFirst(mark.count).dropLast())) == own
        }
        guard isIncluded else {
            throw Failure(
                code: "proxy-config", "nginx does not read kinto's file: no include of it is in force",
                hints: [.init("add this line to the block http of nginx.conf: include \(file);")])
        }
    }

    private func reload(_ workers: NginxWorkers, replacing old: Set<ProcessIdentity>) async throws {
        let told = try await run("-s reload")
        guard told.status == 0 else {
            throw Failure(
                code: "proxy-config", "nginx could not be told to reload",
                evidence: Array(told.errors.suffix(5)),
                hints: [.init("see what it says", command: "\(command) -s reload")])
        }
        guard try await hasReplaced(workers, old) else {
            throw Failure(
                code: "proxy-config", "nginx did not load its configuration within \(NginxDriver.patience)",
                hints: [.init("its error log says why: look for [emerg]")])
        }
    }

    /// No event tells of a process title, so it is looked for.
    private func hasReplaced(_ workers: NginxWorkers, _ old: Set<ProcessIdentity>) async throws -> Bool {
        let end = ContinuousClock.now + NginxDriver.patience
        while ContinuousClock.now < end {
            guard workers.master.isRunning else { throw stopped() }
            let serving = workers.now().serving
            if !serving.isEmpty, serving.isDisjoint(with: old) { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    private func run(_ words: String) async throws -> ShellCommand.Outcome {
        do { return try await ShellCommand(line: "exec \(command) \(words)").run() } catch {
            throw Failure(code: "proxy-config", "nginx cannot be run: \(error)")
        }
    }

    private func stopped() -> Failure {
        Failure(
            code: "proxy-unreachable", "nginx does not run: \(pidFile) names no process of it",
            hints: [
                .init(
                    "start it, or name its pid file with --nginx-pid-file", command: "systemctl start nginx")
            ])
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    // MARK: Drain and status

    /// An old worker ends with its last request. It may still take the first one of a connection that it had accepted,
    /// so connections to the instance say nothing before that.
    public func drain(_ upstream: String, port: UInt16?, _ time: TimeSpan) async throws -> (
        ProxyReply.Counters, cut: UInt64
    ) {
        let counters = ProxyReply.Counters(upstream: upstream)
        guard let workers = NginxWorkers(pidFile: pidFile) else { return (counters, 0) }
        let ending = workers.now().ending
        let isDrained = try await Blocking.run {
            NginxWorkers.wait(for: ending, milliseconds: time.milliseconds)
        }
        if isDrained { return (counters, 0) }
        let left = port.map { [$0] } ?? ports[upstream] ?? []
        return (counters, LoopbackConnections.count(to: left))
    }

    public func counters() async throws -> [ProxyReply.Counters] { [] }

    public func status() async throws -> ProxyStatus {
        guard let workers = NginxWorkers(pidFile: pidFile) else { throw stopped() }
        if let version, version.master == workers.master {
            return ProxyStatus(name: version.text, process: workers.master)
        }
        let said = try await run("-v").errors.first?.split(separator: "/").last ?? "?"
        version = (workers.master, "nginx \(said)")
        return ProxyStatus(name: "nginx \(said)", process: workers.master)
    }

    /// nginx reads the file whenever it starts or is reloaded, so what is in the file is what it has.
    public func isInForce() async -> Bool {
        guard let loaded, NginxWorkers(pidFile: pidFile) != nil else { return false }
        return (try? Files.read(file)) == loaded
    }
}
