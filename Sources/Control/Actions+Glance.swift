// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

extension Actions {
    /// One look for all that ask for it: a few questions to the database, the proxy and /proc, however many services there are.
    func glance(version: String) async throws -> OverviewJSON {
        if !routes.isExternal { await traffic.attend() }
        let places = try await overview()
        let rates = routes.isExternal ? nil : await traffic.rates()
        let instances = places.map { $0.live?.instances ?? [] }
        let processes = try await Blocking.run { instances.map(OverviewJSON.Running.of) }
        let routes = routes
        // One that is stuck answers nothing at all.
        let proxy = await atMost(.seconds(2)) { try? await routes.status() } ?? nil
        let now = Timestamp.now
        return OverviewJSON(
            version: version, at: now.rfc3339, proxy: .init(answers: proxy != nil, name: proxy?.name),
            storage: await retention.sizes, counted: rates?.seconds,
            releases: try await arrivals(places, now),
            services: zip(places, processes).map { place, processes in
                let rate = rates.map { $0.targets[place.environment.target] ?? TrafficLog.Rate() }
                return .init(
                    service: "\(place.environment.target.service)",
                    environment: "\(place.environment.target.environment)", state: place.state.rawValue,
                    url: place.url, live: place.live.map(OverviewJSON.Known.init),
                    last: place.last.map(OverviewJSON.Known.init), site: place.isSite,
                    processes: processes,
                    memory: processes.isEmpty ? nil : processes.reduce(0) { $0 + $1.memory },
                    requests: rate?.requests, errors: rate?.errors, p50: rate?.times.within(0.5),
                    p99: rate?.times.within(0.99), deploysStopped: place.environment.deploysStopped)
            })
    }

    private func arrivals(_ places: [Overview], _ now: Timestamp) async throws -> [OverviewJSON.Arrival] {
        let steps = await deadlines.all
        var found: [(id: Int64, arrival: OverviewJSON.Arrival)] = []
        for place in places {
            for (release, wait) in zip(place.open, place.waits) {
                let since = steps.first {
                    $0.target == release.target && $0.number == release.number && $0.stage == release.stage
                }?.since
                let usual =
                    release.status == .deploying
                    ? try await store.stageTimes(release.target, before: release.number).usual() : [:]
                let begin = release.startedAt ?? release.createdAt
                found.append(
                    (
                        release.id,
                        OverviewJSON.Arrival(
                            service: "\(release.target.service)",
                            environment: "\(release.target.environment)",
                            number: release.number, status: release.status, stage: release.stage,
                            commit: release.commit, subject: release.subject, on: wait.on,
                            elapsed: max(0, now.milliseconds - begin.milliseconds),
                            stageElapsed: since.map { max(0, now.milliseconds - $0.milliseconds) },
                            stageUsual: release.stage.flatMap { usual[$0.rawValue] },
                            usual: StageTimes.whole(usual, passed: release.timings, at: release.stage))
                    ))
            }
        }
        return found.sorted { $0.id < $1.id }.map(\.arrival)
    }
}
