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
            self = SiteLookup.led(request, files, now) ?? .notAllowed
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
        let there = SiteLookup.there(site, path, request, files, now)
        // Without a file all rules count, from top to bottom.
        if let found = SiteLookup.ruled(there == nil ? site.rules : site.forcedRules, site, path, request) {
            self = found
        } else if let there {
            self = there
        } else if !files.isSite {
            return nil
        } else if let fallback = files.fallback, request.isNavigation,
            let (number, fields) = site.file(at: fallback)
        {
            self = .file(site, number, fields: fields, status: 200)
        } else {
            self = SiteLookup.missing(site)
        }
    }

    /// Where a rule leads a request that files take none of, like a POST.
    private static func led(_ request: SiteRequest, _ files: ServedFiles, _ now: () -> Int64) -> SiteLookup? {
        guard let path = request.path, let site = files.site, !site.rules.isEmpty else { return nil }
        let isThere = there(site, path, request, files, now) != nil
        let found = ruled(isThere ? site.forcedRules : site.rules, site, path, request)
        if case .moved? = found { return found }
        return nil
    }

    /// What the path has of its own; nil when there is nothing.
    private static func there(
        _ site: Site, _ path: [UInt8], _ request: SiteRequest, _ files: ServedFiles, _ now: () -> Int64
    ) -> SiteLookup? {
        switch site[path] {
        case .file(let number, let fields): return .file(site, number, fields: fields, status: 200)
        case .moved(let to):
            let query = request.query.isEmpty ? [] : [UInt8(ascii: "?")] + request.query
            return .moved(to: to + query, status: 301)
        case nil: break
        }
        // What a page that is open was made of; not the pages themselves.
        if files.earlier.isEmpty { return nil }
        let now = now()
        for earlier in files.earlier where earlier.until > now {
            if let (number, fields) = earlier.site.file(at: path), !earlier.site.files[number].isPage {
                return .file(earlier.site, number, fields: fields, status: 200)
            }
        }
        return nil
    }

    /// The first rule that is for a path. One that leads to no file of the site is passed over.
    private static func ruled(_ rules: [SiteRule], _ site: Site, _ path: [UInt8], _ request: SiteRequest)
        -> SiteLookup?
    {
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
