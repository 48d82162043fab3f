// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore

/// `/overview`: what `kinto top` shows, in one answer.
struct OverviewRoutes: Sendable {
    let actions: Actions
    let version: String

    func add(to api: RouterGroup<APIServer.Context>) {
        let (actions, version) = (actions, version)
        api.get("/overview") { _, _ in try await actions.glance(version: version).json() }
    }
}
