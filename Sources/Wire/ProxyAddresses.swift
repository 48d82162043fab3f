// SPDX-License-Identifier: Apache-2.0

/// Where a proxy listens, `ADDRESS:PORT` each.
public struct ProxyAddresses: Sendable, Equatable {
    public var plain: String
    /// Over TLS; nil: nowhere.
    public var secure: String?

    /// Whether visitors without TLS are led to TLS where there is a certificate for the name they ask for.
    public var redirects: Bool

    public init(plain: String, secure: String? = nil, redirects: Bool = true) {
        self.plain = plain
        self.secure = secure
        self.redirects = redirects
    }

    func add(to fields: inout Fields) {
        fields.add("listen", plain)
        if let secure { fields.add("tls-listen", secure) }
        if !redirects { fields.add("no-redirects", true) }
    }

    init(_ fields: Fields) throws(WireError) {
        plain = try fields.required("listen")
        secure = fields["tls-listen"]
        redirects = !fields.flag("no-redirects")
    }
}
