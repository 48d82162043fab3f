// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HTTPClient
public import KintoCore
public import Wire

/// Caddy, told over its admin API: one route of one server is kinto's, replaced whole and read back.
public actor CaddyDriver: ExternalProxyDriver {
    static let program = "Caddy"
    /// The server that a change replaced goes on to take the first request of a connection that it had accepted, for
    /// five seconds, and looks at its connections twice a second.
    public static let settling = Duration.seconds(6)

    private let admin: String
    private let server: String
    private let settling: Duration
    private var loaded: CaddyRoute?
    /// The instances that upstreams had, also those that left.
    private var ports: [String: Set<UInt16>] = [:]
    /// Since when no new connection leads there.
    private var leaving: [UInt16: ContinuousClock.Instant] = [:]

    /// - Parameters:
    ///   - admin: `ADDRESS:PORT` of the admin API.
    ///   - server: the name of the HTTP server that gets kinto's route.
    ///   - settling: how long a replaced server may take requests; at least `CaddyDriver.settling` where visitors are
    ///     not known.
    public init(admin: String, server: String, settling: Duration = CaddyDriver.settling) {
        self.admin = admin
        self.server = server
        self.settling = settling
    }

    public func apply(_ routes: [RoutingTable.Route]) async throws {
        for route in routes {
            guard let upstream = route.upstream else { continue }
            ports[upstream.identifier, default: []].formUnion(upstream.ports)
        }
        // Until it is over nobody knows what is in force; an abort of the release must not leave it so.
        loaded = nil
        try await withUncancelledTask { try await self.load(routes) }
    }

    private func load(_ routes: [RoutingTable.Route]) async throws {
        let before = try await current()
        let services = routes.sorted { $0.identifier < $1.identifier }
            .map { (hosts: $0.hosts, ports: open($0)?.ports ?? []) }
        let wanted = Set(services.flatMap(\.ports))
        let busy = try await inFlight().filter { $0.value > 0 }
        for port in before?.ports ?? [] where !wanted.contains(port) && leaving[port] == nil {
            leaving[port] = .now
        }
        let now = ContinuousClock.now
        leaving = leaving.filter { port, since in
            !wanted.contains(port) && (busy[port] != nil || since.duration(to: now) < settling)
        }
        let route = CaddyRoute.whole(services, leaving: Set(leaving.keys))
        if route == before {
            loaded = route
            return
        }
        do {
            try await put(route, isThere: before != nil)
            guard try await current() == route else {
                throw Failure(
                    code: "proxy-config", "Caddy took kinto's route, but has another one",
                    hints: [.init("see what else changes its configuration")])
            }
        } catch {
            if let before { try? await put(before, isThere: true) }
            throw error
        }
        let end = ContinuousClock.now
        for port in leaving.keys where before?.ports.contains(port) == true { leaving[port] = end }
        loaded = route
    }

    // MARK: Admin API

    /// The route as Caddy has it; nil when it has none.
    private func current() async throws -> CaddyRoute? {
        let answer = try await ask("GET", "id/\(CaddyRoute.identifier)")
        if answer.status == 404 { return nil }
        guard answer.status == 200 else { throw refused(answer) }
        return try? JSONDecoder().decode(CaddyRoute.self, from: Data(answer.body))
    }

    private func put(_ route: CaddyRoute, isThere: Bool) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let answer: HTTPClient.Response
        if isThere {
            answer = try await ask("PATCH", "id/\(CaddyRoute.identifier)", body: encoder.encode(route))
        } else {
            answer = try await insert(route, encoder)
        }
        guard answer.status == 200 else { throw refused(answer) }
    }

    /// In front of what the server has.
    private func insert(_ route: CaddyRoute, _ encoder: JSONEncoder) async throws -> HTTPClient.Response {
        let path = "config/apps/http/servers/\(server)"
        let there = try await ask("GET", path)
        guard there.status == 200,
            let object = try? JSONSerialization.jsonObject(with: Data(there.body)) as? [String: Any]
        else {
            throw Failure(
                code: "proxy-config", "Caddy has no HTTP server '\(server)'",
                hints: [
                    .init(
                        "choose one of these with --caddy-server",
                        command: "curl http://\(admin)/config/apps/http/servers")
                ])
        }
        guard let routes = object["routes"] as? [Any] else {
            return try await ask("PUT", "\(path)/routes", body: encoder.encode([route]))
        }
        let body = try encoder.encode(route)
        return routes.isEmpty
            ? try await ask("POST", "\(path)/routes", body: body)
            : try await ask("PUT", "\(path)/routes/0", body: body)
    }

    /// Requests on their way, by port.
    private func inFlight() async throws -> [UInt16: UInt64] {
        struct Count: Decodable {
            let address: String
            let num_requests: Int
        }
        let answer = try await ask("GET", "reverse_proxy/upstreams")
        guard answer.status == 200 else { throw refused(answer) }
        let list = (try? JSONDecoder().decode([Count].self, from: Data(answer.body))) ?? []
        var counts: [UInt16: UInt64] = [:]
        for count in list where count.address.hasPrefix("127.0.0.1:") {
            if let port = UInt16(count.address.dropFirst(10)) {
                counts[port] = UInt64(max(0, count.num_requests))
            }
        }
        return counts
    }

    private func ask(_ method: String, _ path: String, body: Data? = nil) async throws -> HTTPClient.Response
    {
        do {
            return try await HTTPClient.send(
                .init(
                    method, url: "http://\(admin)/\(path)", headers: ["Content-Type: application/json"],
                    body: body.map { Array($0) }, timeout: 30_000))
        } catch let error as HTTPClient.TransportError {
            throw Failure(
                code: "proxy-unreachable", "the admin API of Caddy on \(admin) does not answer: \(error)",
                hints: [
                    .init(
                        "start Caddy, or name its address with --caddy-admin",
                        command: "systemctl start caddy")
                ])
        }
    }

    private func refused(_ answer: HTTPClient.Response) -> Failure {
        struct Refusal: Decodable { let error: String }
        let words = (try? JSONDecoder().decode(Refusal.self, from: Data(answer.body)))?.error
        return Failure(
            code: "proxy-config",
            "Caddy does not accept the change (\(answer.status)); what serves is as it was",
            evidence: [words ?? String(decoding: answer.body.prefix(400), as: UTF8.self)],
            hints: [.init("mend what it names in Caddy's configuration")])
    }

    // MARK: Drain and status

    public func drain(_ upstream: String, port: UInt16?, _ time: TimeSpan) async throws -> (
        ProxyReply.Counters, cut: UInt64
    ) {
        let left = port.map { [$0] } ?? ports[upstream] ?? Set(leaving.keys)
        let begun = ContinuousClock.now
        let end = begun + time.duration
        let settled = left.map { leaving[$0] ?? begun }.max().map { $0 + settling } ?? begun
        while true {
            let counts = try await inFlight()
            let open = left.reduce(0) { $0 + (counts[$1] ?? 0) }
            let now = ContinuousClock.now
            if now >= end || (open == 0 && now >= settled) {
                return (ProxyReply.Counters(upstream: upstream, inFlight: open), open)
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    public func counters() async throws -> [ProxyReply.Counters] { [] }

    public func status() async throws -> ProxyStatus {
        _ = try await current()
        let port = admin.lastIndex(of: ":").flatMap { UInt16(admin[admin.index(after: $0)...]) }
        let owner = port.flatMap { Listeners.owner(of: $0) }
        return ProxyStatus(name: "Caddy", process: owner.flatMap { ProcessIdentity(running: $0.pid) })
    }

    /// A reload of Caddy's own file has dropped it.
    public func isInForce() async -> Bool {
        guard let loaded else { return false }
        return (try? await current()) == loaded
    }
}
