// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import Wire

/// The sites of the table in force, each read once: those that are live whole, and of those that were replaced what the live one
/// does not have.
final class SiteLibrary: Sendable {
    private let sites = Mutex<[String: Site]>([:])

    /// Reads those of a table that are new, and forgets those that it does not have. What cannot be read is missing: requests
    /// for it are answered 500, and all others are served.
    func read(_ table: RoutingTable) -> [String: Site] {
        sites.withLock { sites in
            var next: [String: Site] = [:]
            for route in table.routes {
                guard let files = route.upstream?.files else { continue }
                let live = next[files.index] ?? sites[files.index] ?? SiteLibrary.read(files.index)
                next[files.index] = live
                for one in files.earlier {
                    let key = SiteLibrary.key(route.identifier, one.index)
                    // What it was made without then is in a later one, which answers as long.
                    next[key] =
                        sites[key]
                        ?? (sites[one.index] ?? SiteLibrary.read(one.index)).map { earlier in
                            live.flatMap { try? Site(earlier, without: $0) } ?? earlier
                        }
                }
            }
            sites = next
            return next
        }
    }

    /// Of what an earlier release of a route has beside the live one.
    static func key(_ route: String, _ index: String) -> String { "\(route) \(index)" }

    private static func read(_ path: String) -> Site? {
        do { return try Site(path) } catch {
            ProxyMain.say("files of \(path): \(error)")
            return nil
        }
    }
}

/// The files of one route.
struct ServedFiles {
    struct Earlier {
        let site: Site
        /// Milliseconds since 1970.
        let until: Int64
    }

    /// nil: it cannot be read.
    let site: Site?
    let isSite: Bool
    /// A decoded path.
    let fallback: [UInt8]?
    let earlier: [Earlier]

    init(_ files: StaticFiles, of route: String, _ sites: [String: Site]) {
        site = sites[files.index]
        isSite = files.isSite
        fallback = files.fallback.map { Array($0.utf8) }
        earlier = files.earlier.compactMap { one in
            sites[SiteLibrary.key(route, one.index)].map { Earlier(site: $0, until: one.until) }
        }
    }
}
