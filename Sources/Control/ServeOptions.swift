// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import KintoCore

/// What `kinto serve` was started with.
public struct ServeOptions: Sendable {
    /// What stands before the services.
    public enum Proxy: Sendable, Equatable {
        /// kinto's own.
        case embedded
        /// - Parameters:
        ///   - file: what of nginx's configuration is kinto's; nil: below the home.
        ///   - command: runs nginx, for a shell.
        case nginx(file: String?, command: String, pidFile: String)
        /// - Parameter socket: of its runtime API.
        case haproxy(socket: String)
        /// - Parameters:
        ///   - admin: `ADDRESS:PORT` of its admin API.
        ///   - server: the name of the HTTP server that gets kinto's route.
        case caddy(admin: String, server: String)
    }

    public var home: Home
    /// `ADDRESS:PORT` of webhooks and API.
    public var listen: String
    /// How forges and people reach that, without a slash at its end; nil: not from elsewhere.
    public var publicURL: String?
    /// Below which every environment has a host name, `NAME.DOMAIN`; nil: only `NAME.localhost`.
    public var domain: String?
    public var proxy: Proxy
    /// `ADDRESS:PORT` of kinto's own proxy.
    public var proxyListen: String
    /// `ADDRESS:PORT` of the same over TLS; nil: without TLS.
    public var proxyTLSListen: String?
    /// Whether visitors without TLS are led to TLS where there is a certificate.
    public var redirectsToTLS: Bool
    /// `NAME=VALUE` of what bounds the proxy, see `ProxyLimits`.
    public var proxyLimits: [String]
    public var containment: ContainmentOptions
    /// `NAME=VALUE` of what is kept, see `RetentionSettings`.
    public var keep: [String]
    /// How often remote repositories are looked at for pushes of which no delivery told; nil: never.
    public var lookEvery: Duration?
    /// `NAME=VALUE` of what bounds fetches, see `FetchLimits`.
    public var fetchLimits: [String]
    /// How many releases are built at once.
    public var builds: Int
    /// How many are brought from their start to their swap at once.
    public var rollouts: Int
    /// Path of `kinto-runtime`.
    public var runtimePath: String
    /// Path of `kinto` itself.
    public var executablePath: String
    public var version: String

    public init(
        home: Home, listen: String, publicURL: String? = nil, domain: String? = nil, proxy: Proxy = .embedded,
        proxyListen: String,
        proxyTLSListen: String? = nil, redirectsToTLS: Bool = true,
        proxyLimits: [String] = [], keep: [String] = [], lookEvery: Duration? = .seconds(300),
        fetchLimits: [String] = [],
        builds: Int? = nil, rollouts: Int? = nil,
        containment: ContainmentOptions = ContainmentOptions(),
        runtimePath: String, executablePath: String, version: String
    ) {
        self.home = home
        self.listen = listen
        self.publicURL = publicURL
        self.domain = domain
        self.proxy = proxy
        self.proxyListen = proxyListen
        self.proxyTLSListen = proxyTLSListen
        self.redirectsToTLS = redirectsToTLS
        self.proxyLimits = proxyLimits
        self.containment = containment
        self.keep = keep
        self.lookEvery = lookEvery
        self.fetchLimits = fetchLimits
        let cores = ProcessInfo.processInfo.activeProcessorCount
        self.builds = builds ?? max(2, cores / 2)
        self.rollouts = rollouts ?? max(4, 2 * cores)
        self.runtimePath = runtimePath
        self.executablePath = executablePath
        self.version = version
    }
}
