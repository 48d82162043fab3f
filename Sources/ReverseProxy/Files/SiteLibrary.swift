// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import Wire

/// The sites of the table in force, each read once.
final class SiteLibrary: Sendable {
    private let sites = Mutex<[String: Site]>([:])

    /// Reads those of a table that are new, and forgets those that it does not have. What cannot be read is missing: requests
    /// for it are answered 500, and all others are served.
    func read(_ table: RoutingTable) -> [String: Site] {
        sites.withLock { sites in
            var next: [String: Site] = [:]
            for files in table.routes.compactMap({ $0.upstream?.files }) {
                for path in [files.index] + files.earlier.map(\.index) where next[path] == nil {
                    do { next[path] = try sites[path] ?? Site(path) } catch {
                        ProxyMain.say("files of \(path): \(error)")
                    }
                }
            }
            sites = next
            return next
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

    init(_ files: StaticFiles, _ sites: [String: Site]) {
        site = sites[files.index]
        isSite = files.isSite
        fallback = files.fallback.map { Array($0.utf8) }
        earlier = files.earlier.compactMap { one in
            sites[one.index].map { Earlier(site: $0, until: one.until) }
        }
    }
}
