// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// A routing table as a worker looks things up in it.
struct Router {
    struct Route {
        let identifier: String
        let upstream: UpstreamState?
        /// Asked before the upstream's instances.
        let files: ServedFiles?
        /// Milliseconds.
        let hold: Int64
        let isPaused: Bool
        let maintenance: Maintenance?
    }

    private var hosts: [[UInt8]: Route] = [:]
    private var ports: [UInt16: Route] = [:]
    private var states: Set<ObjectIdentifier> = []

    init() {}

    /// - Parameter sites: as `SiteLibrary.read` returns them.
    init(_ table: RoutingTable, sites: [String: Site] = [:], state: (RoutingTable.Upstream) -> UpstreamState)
    {
        for entry in table.routes {
            let upstream = entry.upstream.map(state)
            if let upstream { states.insert(ObjectIdentifier(upstream)) }
            let route = Route(
                identifier: entry.identifier, upstream: upstream,
                files: entry.upstream?.files.map { ServedFiles($0, of: entry.identifier, sites) },
                hold: Int64(entry.hold),
                isPaused: entry.paused, maintenance: entry.maintenance)
            for host in entry.hosts { hosts[Array(host.utf8)] = route }
            if let port = entry.port { ports[port] = route }
        }
    }

    func route(port: UInt16) -> Route? { ports[port] }

    /// By Host value: without regard to case, port and a final dot.
    func route(host: ArraySlice<UInt8>) -> Route? { hosts[Router.name(host)] }

    func holds(_ state: UpstreamState) -> Bool { states.contains(ObjectIdentifier(state)) }

    static func name(_ host: ArraySlice<UInt8>) -> [UInt8] {
        var name = host
        if let colon = name.lastIndex(of: UInt8(ascii: ":")), name.last != UInt8(ascii: "]") {
            name = name[..<colon]
        }
        if name.last == UInt8(ascii: ".") { name = name.dropLast() }
        return name.map(MessageHead.lower)
    }
}
