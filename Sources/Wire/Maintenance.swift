// SPDX-License-Identifier: Apache-2.0

/// A service closed to visitors: what they are told, and who is let in all the same.
public struct Maintenance: Sendable, Equatable, Codable {
    /// Seconds, for the Retry-After field.
    public var retryAfter: Int
    /// Addresses of visitors who are served as usual.
    public var allow: [AddressRange]
    /// An HTML page; nil: one line of text.
    public var page: String?

    public init(retryAfter: Int = 60, allow: [AddressRange] = [], page: String? = nil) {
        self.retryAfter = retryAfter
        self.allow = allow
        self.page = page
    }

    func add(to fields: inout Fields) {
        fields.add("maintenance", retryAfter)
        for range in allow { fields.add("allow", range.description) }
        if let page { fields.add("page", page) }
    }

    /// Takes an entry of a route that is one of ours.
    static func read(_ entry: Fields.Entry, into maintenance: inout Maintenance?) {
        switch entry.name {
        case "maintenance": maintenance = Maintenance(retryAfter: max(0, Int(entry.value) ?? 60))
        case "allow": if let range = AddressRange(entry.value) { maintenance?.allow.append(range) }
        case "page": maintenance?.page = entry.value
        default: break
        }
    }
}
