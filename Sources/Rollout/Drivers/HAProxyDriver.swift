// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// HAProxy, told over its runtime socket: the instances take the places of a `server-template` in the backend of their
/// service. Nothing is reloaded and no connection is touched.
public actor HAProxyDriver: ExternalProxyDriver {
    static let program = "HAProxy"

    private let socket: HAProxySocket
    /// What was asked for last, by target.
    private var wanted: [String: RoutingTable.Route] = [:]
    /// By server: whose instance it has, and what it had counted before.
    private var owners: [String: (upstream: String, since: HAProxyServer)] = [:]

    /// - Parameter socket: of a `stats socket` line with `level admin`.
    public init(socket: String) { self.socket = HAProxySocket(path: socket) }

    /// A route that cannot be put in force is left as it was. Such a one does not keep others from changing.
    public func apply(_ routes: [RoutingTable.Route]) async throws {
        let next = Dictionary(routes.map { ($0.identifier, $0) }, uniquingKeysWith: { _, last in last })
        let isRefresh = next == wanted
        for gone in wanted.values where next[gone.identifier] == nil {
            try await lower(gone, keeping: [])
            wanted[gone.identifier] = nil
        }
        var trouble: Failure?
        for route in routes {
            let isChanged = wanted[route.identifier] != route
            do {
                // An abort of the release must not leave it half done.
                try await withUncancelledTask { try await self.swap(route) }
                wanted[route.identifier] = route
            } catch let failure as Failure {
                if failure.code == "proxy-unreachable" { throw failure }
                if isChanged || isRefresh { trouble = trouble ?? failure }
            }
        }
        if let trouble { throw trouble }
    }

    /// The new instances first, and seen to be in; then the others out, and seen to be out.
    private func swap(_ route: RoutingTable.Route) async throws {
        let ports = open(route)?.ports ?? []
        if ports.isEmpty { return try await lower(route, keeping: []) }
        let servers = try await servers(route)
        var raised: [HAProxyServer] = []
        do {
            for port in ports {
                if let server = servers.first(where: { $0.port == port && !raised.contains($0) }) {
                    if !server.isIn { raised.append(server) }
                    own(server, route, isNew: !server.isIn)
                    guard !server.isIn else { continue }
                    try await raise(server, at: port)
                } else {
                    let free = servers.first {
                        $0.isOut && $0.current == 0 && !raised.contains($0)
                            && !ports.contains($0.port ?? 0)
                    }
                    guard let free else { throw full(route, servers) }
                    raised.append(free)
                    own(free, route, isNew: true)
                    try await raise(free, at: port)
                }
            }
        } catch {
            for server in raised { _ = try? await socket.ask("set server \(server.path) state maint") }
            throw error
        }
        try await lower(route, keeping: Set(ports))
    }

    private func own(_ server: HAProxyServer, _ route: RoutingTable.Route, isNew: Bool) {
        guard let upstream = route.upstream?.identifier else { return }
        if isNew || owners[server.path]?.upstream != upstream { owners[server.path] = (upstream, server) }
    }

    private func raise(_ server: HAProxyServer, at port: UInt16) async throws {
        var said: [String] = []
        for command in ["addr 127.0.0.1 port \(port)", "state ready"] {
            said.append(try await socket.ask("set server \(server.path) \(command)"))
        }
        let now = try await socket.servers(server.backend)?.first { $0.name == server.name }
        guard let now, now.port == port, now.isIn else { throw refused(server.path, said) }
    }

    /// Takes out what the route does not have any more.
    private func lower(_ route: RoutingTable.Route, keeping ports: Set<UInt16>) async throws {
        let backend = name(route)
        func serving() async throws -> [HAProxyServer] {
            (try await socket.servers(backend) ?? []).filter { server in
                !server.isOut && !(server.port.map(ports.contains) ?? false)
            }
        }
        let old = try await serving()
        if old.isEmpty { return }
        var said: [String] = []
        for server in old { said.append(try await socket.ask("set server \(server.path) state maint")) }
        if let left = try await serving().first { throw refused(left.path, said) }
    }

    private func servers(_ route: RoutingTable.Route) async throws -> [HAProxyServer] {
        let backend = name(route)
        let servers = try await socket.servers(backend)
        guard let servers, !servers.isEmpty else {
            throw Failure(
                code: "proxy-config",
                servers == nil
                    ? "HAProxy has no backend '\(backend)'"
                    : "the backend '\(backend)' of HAProxy has no servers of kinto's",
                hints: [
                    .init(
                        "add to its configuration, in 'backend \(backend)': server-template kinto 8 127.0.0.1:1 disabled"
                    )
                ])
        }
        return servers
    }

    private func refused(_ path: String, _ said: [String]) -> Failure {
        Failure(
            code: "proxy-config", "HAProxy did not change the server \(path)",
            evidence: said.flatMap { $0.split(separator: "\n") }.map(String.init),
            hints: [.init("the line 'stats socket' of its configuration must say: level admin")])
    }

    private func full(_ route: RoutingTable.Route, _ servers: [HAProxyServer]) -> Failure {
        Failure(
            code: "proxy-config",
            "the \(servers.count) servers of kinto's in the backend '\(name(route))' are all in use",
            hints: [.init("give its server-template a higher number: twice as many as there are instances")])
    }

    // MARK: Drain and status

    /// What is left when the time is over is cut.
    public func drain(_ upstream: String, port: UInt16?, _ time: TimeSpan) async throws -> (
        ProxyReply.Counters, cut: UInt64
    ) {
        let backend = Self.name(target: upstream[...])
        let end = ContinuousClock.now + time.duration
        while true {
            let servers = try await socket.servers(backend) ?? []
            let leaving = servers.filter { $0.isOut && (port == nil || $0.port == port) }
            let left = leaving.filter { $0.current > 0 }
            let isOver = ContinuousClock.now >= end
            if left.isEmpty || isOver {
                for server in left { _ = try await socket.ask("shutdown sessions server \(server.path)") }
                let counters = count(upstream, servers)
                return (counters, left.reduce(0) { $0 + $1.current })
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    public func counters() async throws -> [ProxyReply.Counters] {
        var servers: [HAProxyServer] = []
        for backend in Set(wanted.values.map { name($0) }) {
            servers += try await socket.servers(backend) ?? []
        }
        return Set(owners.values.map(\.upstream)).map { count($0, servers) }
    }

    /// Of the servers that an upstream's instances have, since they have them.
    private func count(_ upstream: String, _ servers: [HAProxyServer]) -> ProxyReply.Counters {
        var sum = ProxyReply.Counters(upstream: upstream)
        for server in servers {
            guard let (owner, since) = owners[server.path], owner == upstream else { continue }
            // HAProxy that was started again counts from zero.
            func grown(_ value: KeyPath<HAProxyServer, UInt64>) -> UInt64 {
                let (now, then) = (server[keyPath: value], since[keyPath: value])
                return now >= then ? now - then : now
            }
            let total = grown(\.total)
            sum += .init(
                upstream: upstream, requests: total, failed: grown(\.failed), retried: grown(\.retried),
                errors: grown(\.errors), recent: total - min(total, server.current),
                recentErrors: grown(\.errors), inFlight: server.current)
        }
        return sum
    }

    public func status() async throws -> ProxyStatus {
        let version = try await socket.info("Version")?.prefix { $0 != "-" } ?? "?"
        let pid = try await socket.info("Pid").flatMap { Int32($0) }
        return ProxyStatus(name: "HAProxy \(version)", process: pid.flatMap { ProcessIdentity(running: $0) })
    }

    /// A reload or a restart has forgotten all of it.
    public func isInForce() async -> Bool {
        guard !wanted.isEmpty else { return false }
        for route in wanted.values {
            guard let servers = try? await socket.servers(name(route)) else {
                if route.upstream == nil, (try? await socket.info("Pid")) != nil { continue }
                return false
            }
            let serving = servers.filter { !$0.isOut }.map(\.port)
            if Set(serving) != Set((open(route)?.ports ?? []).map(Optional.some)) { return false }
        }
        return true
    }
}
