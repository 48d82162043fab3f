// SPDX-License-Identifier: Apache-2.0
public import KintoCore

/// What `kinto serve` was started with.
public struct ServeOptions: Sendable {
    public var home: Home
    /// `ADDRESS:PORT` of webhooks and API.
    public var listen: String
    /// `ADDRESS:PORT` of the proxy.
    public var proxyListen: String
    /// `NAME=VALUE` of what bounds the proxy, see `ProxyLimits`.
    public var proxyLimits: [String]
    /// Path of `kinto-runtime`.
    public var runtimePath: String
    /// Path of `kinto` itself.
    public var executablePath: String
    public var version: String

    public init(
        home: Home, listen: String, proxyListen: String, proxyLimits: [String] = [], runtimePath: String,
        executablePath: String, version: String
    ) {
        self.home = home
        self.listen = listen
        self.proxyListen = proxyListen
        self.proxyLimits = proxyLimits
        self.runtimePath = runtimePath
        self.executablePath = executablePath
        self.version = version
    }
}
