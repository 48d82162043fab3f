// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// The one object of Caddy's configuration that is kinto's: a route with a route for each service in it.
struct CaddyRoute: Codable, Equatable {
    struct Match: Codable, Equatable {
        var host: [String]
    }

    struct Upstream: Codable, Equatable {
        var dial: String
    }

    struct Balancing: Codable, Equatable {
        struct Policy: Codable, Equatable {
            var policy = "least_conn"
        }
        var selection_policy = Policy()
        /// An instance that is just being started again.
        var try_duration = "5s"
        var try_interval = "100ms"
    }

    struct Handler: Codable, Equatable {
        var handler: String
        var routes: [CaddyRoute]?
        var load_balancing: Balancing?
        var upstreams: [Upstream]?
        var status_code: Int?
        var headers: [String: [String]]?
    }

    var id: String?
    var match: [Match]?
    var handle: [Handler]
    var terminal: Bool?

    enum CodingKeys: String, CodingKey {
        case id = "@id"
        case match, handle, terminal
    }

    static let identifier = "kinto"
    /// A name that nobody can ask for.
    static let nowhere = "kinto.invalid"

    /// - Parameter leaving: ports that no request reaches any more; they are named since Caddy counts what is on its way
    ///   only to upstreams that its configuration has.
    static func whole(_ services: [(hosts: [String], ports: [UInt16])], leaving: Set<UInt16>) -> CaddyRoute {
        var routes = services.map { CaddyRoute.service($0.hosts, $0.ports) }
        if !leaving.isEmpty { routes.append(.service([nowhere], leaving.sorted())) }
        // Without hosts of its own: Caddy would take such for names to get certificates for, and a server without TLS
        // would begin to speak it. What no service has goes on to the routes behind this one.
        return CaddyRoute(id: identifier, handle: [Handler(handler: "subroute", routes: routes)])
    }

    private static func service(_ hosts: [String], _ ports: [UInt16]) -> CaddyRoute {
        let handler =
            ports.isEmpty
            ? Handler(handler: "static_response", status_code: 503, headers: ["Retry-After": ["5"]])
            : Handler(
                handler: "reverse_proxy", load_balancing: Balancing(),
                upstreams: ports.map { Upstream(dial: "127.0.0.1:\($0)") })
        return CaddyRoute(match: [Match(host: hosts)], handle: [handler], terminal: true)
    }

    /// All instances that it names.
    var ports: Set<UInt16> {
        let dials = handle.flatMap { $0.routes ?? [] }.flatMap(\.handle).flatMap { $0.upstreams ?? [] }
        return Set(dials.compactMap { UInt16($0.dial.drop { $0 != ":" }.dropFirst()) })
    }
}
