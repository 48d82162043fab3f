// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
public import Wire

/// How kinto's own proxy is to serve.
public struct ProxySettings: Sendable {
    public let listen: ListenAddress
    /// Over TLS; nil: nowhere.
    public let secure: ListenAddress?
    /// Whether visitors without TLS are led to TLS where there is a certificate for the name they ask for.
    public let redirects: Bool
    public let limits: ProxyLimits

    public init(
        listen: ListenAddress, secure: ListenAddress? = nil, redirects: Bool = true,
        limits: ProxyLimits = ProxyLimits()
    ) {
        self.listen = listen
        self.secure = secure
        self.redirects = redirects
        self.limits = limits
    }

    var addresses: ProxyAddresses {
        ProxyAddresses(plain: listen.description, secure: secure?.description, redirects: redirects)
    }

    /// Finds out before anything is started whether the addresses can be had.
    /// - Throws: as `ListenAddress.check`.
    func check() throws(Failure) {
        try listen.check()
        try secure?.check()
    }

    /// For the command line of `kinto-runtime proxy`.
    func words(_ home: Home) -> [String] {
        var words = ["--listen", listen.description]
        if let secure {
            words += ["--tls-listen", secure.description, "--certificates", home.certificates]
            words += ["--challenges", home.challenges]
            if !redirects { words.append("--no-redirects") }
        }
        return words + limits.texts.flatMap { ["--limit", $0] }
    }
}
