// SPDX-License-Identifier: Apache-2.0

/// Everything the proxy needs to know to route: a value that replaces the one before it whole. It is also the form
/// of the snapshot file from which the proxy boots.
public struct RoutingTable: Sendable, Equatable {
    /// What answers for one release, and shares its counters: its instances, its files, or both.
    public struct Upstream: Sendable, Equatable {
        /// `SERVICE/ENVIRONMENT/RELEASE`, unique for all time.
        public var identifier: String
        /// Loopback ports (127.0.0.1) of the instances, at least one unless there are files.
        public var ports: [UInt16]
        /// Asked before the instances.
        public var files: StaticFiles?

        public init(identifier: String, ports: [UInt16], files: StaticFiles? = nil) {
            self.identifier = identifier
            self.ports = ports
            self.files = files
        }
    }

    /// One environment of a service.
    public struct Route: Sendable, Equatable {
        /// `SERVICE/ENVIRONMENT`
        public var identifier: String
        /// Host names, lower case, without port.
        public var hosts: [String]
        /// The stable address 127.0.0.1:port, if the service has one.
        public var port: UInt16?
        /// nil: known but nothing is live: 503 with Retry-After.
        public var upstream: Upstream?
        /// How long a request may wait while no instance takes it, in milliseconds; after it, or at once when 0, it is
        /// answered 503 with Retry-After.
        public var hold: Int
        /// Requests wait even though there are instances.
        public var paused: Bool
        /// Closed to visitors.
        public var maintenance: Maintenance?

        public init(
            identifier: String, hosts: [String], port: UInt16? = nil, upstream: Upstream? = nil,
            hold: Int = 0, paused: Bool = false, maintenance: Maintenance? = nil
        ) {
            self.identifier = identifier
            self.hosts = hosts
            self.port = port
            self.upstream = upstream
            self.hold = hold
            self.paused = paused
            self.maintenance = maintenance
        }
    }

    /// Grows with every change; the proxy refuses one lower than what it has.
    public var generation: UInt64
    public var routes: [Route]

    public init(generation: UInt64 = 0, routes: [Route] = []) {
        self.generation = generation
        self.routes = routes
    }

    public var fields: Fields {
        var f = Fields()
        f.add("generation", generation)
        for route in routes {
            f.add("route", route.identifier)
            for host in route.hosts { f.add("host", host) }
            if let port = route.port { f.add("port", port) }
            if route.hold > 0 { f.add("hold", route.hold) }
            if route.paused { f.add("paused", true) }
            if let maintenance = route.maintenance { maintenance.add(to: &f) }
            if let upstream = route.upstream {
                f.add("upstream", upstream.identifier)
                for port in upstream.ports { f.add("server", port) }
                upstream.files?.add(to: &f)
            }
        }
        return f
    }

    /// Reads the entries that `fields` wrote; entries of names that this version does not know are left alone.
    public init(_ f: Fields) throws(WireError) {
        generation = try f.requiredInteger("generation")
        routes = []
        for entry in f.entries {
            if entry.name == "route" {
                routes.append(Route(identifier: entry.value, hosts: []))
                continue
            }
            guard !routes.isEmpty else { continue }
            let last = routes.count - 1
            switch entry.name {
            case "host": routes[last].hosts.append(entry.value)
            case "port":
                guard let port = UInt16(entry.value), port > 0 else { throw .malformed("port") }
                routes[last].port = port
            case "upstream": routes[last].upstream = Upstream(identifier: entry.value, ports: [])
            case "server":
                guard let port = UInt16(entry.value), port > 0 else { throw .malformed("server") }
                routes[last].upstream?.ports.append(port)
            case "hold": routes[last].hold = min(max(0, Int(entry.value) ?? 0), 3_600_000)
            case "paused": routes[last].paused = entry.value == "1"
            case "site", "assets", "fallback", "earlier":
                guard var upstream = routes[last].upstream else { throw .malformed(entry.name) }
                StaticFiles.read(entry, into: &upstream.files)
                routes[last].upstream = upstream
            default: Maintenance.read(entry, into: &routes[last].maintenance)
            }
        }
    }
}
