// SPDX-License-Identifier: Apache-2.0
public import Wire

/// The state directory and where everything in it lies. Only the control process writes the database; logs and state
/// files are written by the supervisors, the snapshot by the proxy, the spool by the hooks.
public struct Home: Sendable, Hashable {
    /// Absolute, without a trailing slash.
    public let path: String

    public init(_ path: String) {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed = trimmed.dropLast() }
        self.path = String(trimmed)
    }

    public var database: String { "\(path)/kinto.db" }
    /// What the database's secrets are sealed with, mode 0600.
    public var secretKey: String { "\(path)/secret.key" }
    public var lock: String { "\(path)/lock" }
    /// The control socket: commands and hooks.
    public var socket: String { "\(path)/kinto.sock" }
    /// The first API token, mode 0600.
    public var tokenFile: String { "\(path)/token" }
    /// Where those who run a command meet its supervisor: a socket for each.
    public var runs: String { "\(path)/runs" }
    public var spool: String { "\(path)/spool" }
    /// The places of the proxies: the one that serves is `current`, see `ProxyPlace`.
    public var proxies: String { "\(path)/proxy" }
    public var proxySocket: String { ProxyPlace("\(proxies)/\(ProxyPlace.link)").socket }
    public var proxySnapshot: String { "\(path)/proxy/routes" }
    /// The state of the supervisor of the proxy that serves.
    public var proxyState: String { ProxyPlace("\(proxies)/\(ProxyPlace.link)").state }
    public var proxyLog: String { "\(path)/proxy/proxy.log" }
    /// A folder in it for each certificate, or a link to one.
    public var certificates: String { "\(path)/certificates" }
    /// The "webroot" of ACME clients: what they put below it in `.well-known/acme-challenge` is served.
    public var challenges: String { "\(path)/acme" }
    public var artifacts: String { "\(path)/artifacts" }
    public var repositories: String { "\(path)/repos" }
    public func repository(_ service: ServiceName) -> String { "\(repositories)/\(service).git" }
    /// A folder with a mirror of each repository that submodules of the service come from.
    public func submodules(_ service: ServiceName) -> String { "\(repositories)/\(service).submodules" }
    /// What a look at the service's remote repository brings, while it lasts.
    public func look(_ service: ServiceName) -> String { "\(repositories)/\(service).look" }
    /// Everything of a target that is not its artifacts.
    public func directory(_ target: Target) -> String { "\(path)/services/\(target)" }
    /// Caches kept between the builds of a target.
    public func cache(_ target: Target) -> String { "\(directory(target))/cache" }
    /// The logs and supervisor states of a release; kept with the release.
    public func release(_ target: Target, _ number: Int) -> String {
        "\(directory(target))/releases/\(number)"
    }
    public func releaseLog(_ target: Target, _ number: Int) -> String {
        "\(release(target, number))/release.log"
    }
    /// The console log of one instance, `web.1`.
    public func consoleLog(_ target: Target, _ number: Int, instance: String) -> String {
        "\(release(target, number))/console.\(instance).log"
    }
    /// Where a release is checked out and built.
    public func workspace(_ target: Target, _ number: Int) -> String { "\(path)/work/\(target)/\(number)" }

    /// What shows that the home was in use, and so had a database: names of a few things that only a server with one
    /// makes.
    public func signsOfUse() -> [String] {
        var signs = Files.exists(tokenFile) ? [tokenFile] : []
        for directory in [repositories, "\(path)/services", artifacts] {
            if let first = (try? Files.list(directory))?.sorted().first {
                signs.append("\(directory)/\(first)")
            }
        }
        return signs
    }

    /// Makes the directories that are always there, for the owner alone.
    public func prepare() throws(SystemError) {
        for directory in [
            path, spool, runs, proxies, certificates, challenges, artifacts, repositories, "\(path)/services",
            "\(path)/work",
        ] {
            try Files.makeDirectories(directory)
        }
    }
}
