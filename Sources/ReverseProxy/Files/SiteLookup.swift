// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// What a site says to a request.
enum SiteLookup {
    case file(Site, Int, fields: [UInt8], status: Int)
    /// - Parameter to: of Location.
    case moved(to: [UInt8], status: Int)
    case malformed
    case options
    case notAllowed
    case missing
    /// The index of the files cannot be read.
    case unreadable

    /// - Parameter now: milliseconds since 1970, asked for when it is needed.
    /// - Returns: nil when the instances are to be asked.
    init?(_ request: SiteRequest, in files: ServedFiles, now: () -> Int64) {
        switch request.method {
        case .get, .head: break
        case .options where files.isSite:
            self = .options
            return
        case .other where files.isSite:
            self = .notAllowed
            return
        default: return nil
        }
        guard let path = request.path else {
            guard files.isSite else { return nil }
            self = .malformed
            return
        }
        guard let site = files.site else {
            guard files.isSite else { return nil }
            self = .unreadable
            return
        }
        if let found = SiteLookup.ruled(site, path, request, forced: true) {
            self = found
            return
        }
        if let answer = site[path] {
            switch answer {
            case .file(let number, let fields):
                self = .file(site, number, fields: fields, status: 200)
            case .moved(let to):
                let query = request.query.isEmpty ? [] : [UInt8(ascii: "?")] + request.query
                self = .moved(to: to + query, status: 301)
            }
            return
        }
        // What a page that is open was made of; not the pages themselves.
        if !files.earlier.isEmpty {
            let now = now()
            for earlier in files.earlier where earlier.until > now {
                if let (number, fields) = earlier.site.file(at: path), !earlier.site.files[number].isPage {
                    self = .file(earlier.site, number, fields: fields, status: 200)
                    return
                }
            }
        }
        guard files.isSite else { return nil }
        if let found = SiteLookup.ruled(site, path, request, forced: false) {
            self = found
        } else if let fallback = files.fallback, request.isNavigation,
            let (number, fields) = site.file(at: fallback)
        {
            self = .file(site, number, fields: fields, status: 200)
        } else {
            self = SiteLookup.missing(site)
        }
    }

    /// The first rule that is for a path. One that leads to no file of the site is passed over.
    private static func ruled(_ site: Site, _ path: [UInt8], _ request: SiteRequest, forced: Bool)
        -> SiteLookup?
    {
        let rules = forced ? site.forcedRules : site.rules
        if rules.isEmpty { return nil }
        let path = SiteRule.segments(path)
        for rule in rules {
            guard let target = rule.target(of: path, query: request.query) else { continue }
            guard rule.isRewrite else { return .moved(to: target, status: rule.status) }
            if let (number, fields) = site.file(at: target) {
                return .file(site, number, fields: fields, status: rule.status)
            }
        }
        return nil
    }

    /// By convention a page of its own.
    private static func missing(_ site: Site) -> SiteLookup {
        guard let (number, fields) = site.file(at: Array("/404.html".utf8)) else { return .missing }
        return .file(site, number, fields: fields, status: 404)
    }
}
