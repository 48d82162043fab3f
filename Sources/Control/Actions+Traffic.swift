// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

/// What operators do with the requests of a service, whatever release serves it.
extension Actions {
    func pause(_ target: Target) async throws {
        try await require(target)
        try await setPaused(target, true)
    }

    func setPaused(_ target: Target, _ paused: Bool) async throws {
        try routes.driver.check(RoutePolicy(paused: paused))
        let environment = try await store.update(target) { $0.paused = paused }
        try await routes.set(RoutePolicy(environment), for: target.description)
    }

    func close(_ target: Target, _ maintenance: Maintenance?) async throws {
        try await require(target)
        try routes.driver.check(RoutePolicy(maintenance: maintenance))
        let environment = try await store.update(target) { $0.maintenance = maintenance }
        try await routes.set(RoutePolicy(environment), for: target.description)
    }

    /// Replaces the proxy, which hands its sockets over.
    /// - Parameter drain: how long the old one goes on with what it has, in milliseconds; nil: the usual time.
    func restartProxy(drain: Int?) async throws -> ProxyProcess.Serving {
        guard (0...86_400_000).contains(drain ?? 0) else {
            throw Failure(code: "invalid-request", "the drain time must be from 0 to 24h")
        }
        if routes.isExternal {
            throw Failure(
                code: "proxy-setting", "this server uses \(options.proxyName), which kinto does not start",
                hints: [.init("restart it as you started it")])
        }
        return try await proxy.restart(drain: drain.map(TimeSpan.init(milliseconds:)) ?? ProxyProcess.drain)
    }
}
