// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Wire

extension Actions {
    /// An environment as the lists show it: a few questions to the database for all of them together.
    struct Overview: Sendable {
        let environment: RegisteredEnvironment
        let live: Release?
        /// The newest of all.
        let last: Release?
        /// Queued and on their way, in their order.
        let open: [Release]
        /// nil: what is live has workers only.
        let url: String?
        /// Of what is on its way; what rests (`rests`) is not among them.
        let waits: [Wait]
    }

    /// - Parameter service: nil: of all services.
    func overview(of service: ServiceName? = nil) async throws -> [Overview] {
        let newest = try await store.newestReleases(of: service)
        let open = Dictionary(grouping: try await store.openReleases(), by: \.target)
        var places: [Overview] = []
        for place in newest {
            let target = place.environment.target
            let waiting = open[target] ?? []
            var manifest = Manifest(start: place.serves ? "-" : nil)
            manifest.port = place.port
            places.append(
                Overview(
                    environment: place.environment, live: place.live, last: place.last, open: waiting,
                    url: deployment.url(target, manifest), waits: await waits(target, waiting)))
        }
        return places
    }
}
