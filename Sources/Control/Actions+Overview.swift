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
        /// What is live is a site of files.
        let isSite: Bool
        /// Of what is on its way, one for each of `open` and in their order, and then of the place itself; what rests (`rests`) is
        /// not among them.
        let waits: [Wait]

        /// What people ask first: does it run, and is anything on its way?
        enum State: String, CaseIterable {
            case deploying, queued, suspended, paused, maintenance, live, none
        }

        var state: State {
            switch true {
            case open.contains { $0.status == .deploying }: .deploying
            case !open.isEmpty: .queued
            case environment.suspended: .suspended
            case environment.paused: .paused
            case environment.maintenance != nil: .maintenance
            case live != nil: .live
            default: .none
            }
        }
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
                    url: deployment.url(target, manifest), isSite: place.isSite,
                    waits: await waits(target, waiting)))
        }
        return places
    }
}
