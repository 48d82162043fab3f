// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import KintoCore
internal import Wire

/// Keeps the routes in force in a proxy that others start, stop and reload.
public struct ExternalProxy: Sendable {
    let routes: Routes
    let home: Home

    /// Between two looks, and after one that found trouble.
    static let pause = Duration.milliseconds(500)
    static let longPause = Duration.seconds(2)

    public init(routes: Routes, home: Home) {
        self.routes = routes
        self.home = home
    }

    /// Puts the routes in force again whenever the proxy has lost them, until the task is cancelled.
    /// - Parameter report: told of trouble once, and of its end.
    public func watch(_ report: @Sendable (String) -> Void) async {
        var trouble: String?
        var isFirst = true
        while !Task.isCancelled {
            var pause = Self.pause
            do {
                if await !routes.driver.isInForce() {
                    try await routes.refresh()
                    if trouble != nil || !isFirst { report("the routes are in force again") }
                }
                trouble = nil
                isFirst = false
                endEmbedded()
            } catch {
                let text = "\(error)" + ((error as? Failure)?.evidence.map { "\n\($0)" }.joined() ?? "")
                if trouble != text { report(text) }
                trouble = text
                pause = Self.longPause
            }
            try? await Task.sleep(for: pause)
        }
    }

    /// kinto's own proxy, which an earlier server used, would go on with routes that are never changed again.
    private func endEmbedded() {
        guard let state = try? SupervisorState.read(home.proxyState), state.phase != .stopping,
            state.phase != .ended
        else { return }
        state.supervisor.send(SIGTERM)
    }

    /// Returns when the routes are in force for the first time, or the task is cancelled.
    public func ready() async {
        while !Task.isCancelled, await !routes.driver.isInForce() {
            try? await Task.sleep(for: Self.pause)
        }
    }
}
