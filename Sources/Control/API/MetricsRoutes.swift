// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Rollout
internal import Wire

/// `/metrics`, for Prometheus. Labels are of services that there are: their number is bounded by what the operator added.
struct MetricsRoutes: Sendable {
    private typealias Sample = (labels: [(String, String)], value: Double)

    let actions: Actions
    let version: String
    let counts: EventCounts

    init(actions: Actions, version: String) {
        self.actions = actions
        self.version = version
        counts = EventCounts(store: actions.store)
    }

    func add(to group: RouterGroup<APIServer.Context>) {
        group.get("/metrics") { _, _ in
            Response(
                status: .ok,
                headers: [
                    .contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-store",
                ],
                body: .init(byteBuffer: ByteBuffer(string: try await text())))
        }
    }

    private func text() async throws -> String {
        var text = MetricsText()
        text.add("kinto_info", "gauge", "The server.", [([("version", version)], 1)])
        try await addReleases(&text)
        try await addCounts(&text)
        MetricsRoutes.addProcess(&text)
        return text.text
    }

    private func addReleases(_ text: inout MetricsText) async throws {
        let store = actions.store
        let (environments, open, live) = (
            try await store.environments(), try await store.openReleases(), try await store.allLive()
        )
        text.add(
            "kinto_releases", "gauge", "Releases on record, by status.",
            try await store.releaseCounts().map {
                (MetricsRoutes.labels($0.target) + [("status", $0.status.rawValue)], Double($0.count))
            })
        func perTarget(_ value: (RegisteredEnvironment) -> Double) -> [Sample] {
            environments.map { (MetricsRoutes.labels($0.target), value($0)) }
        }
        text.add(
            "kinto_queue_length", "gauge", "Releases that wait.",
            perTarget { place in
                Double(open.count { $0.target == place.target && $0.status == .queued })
            })
        text.add(
            "kinto_deploying", "gauge", "Releases on their way.",
            perTarget { place in
                Double(open.count { $0.target == place.target && $0.status == .deploying })
            })
        text.add("kinto_suspended", "gauge", "1: stopped by a person.", perTarget { $0.suspended ? 1 : 0 })
        text.add(
            "kinto_deploys_stopped", "gauge", "1: pushes are not deployed after releases that failed.",
            perTarget { $0.deploysStopped == nil ? 0 : 1 })
        text.add(
            "kinto_live_release", "gauge", "The number of the release that serves.",
            live.map { (MetricsRoutes.labels($0.target), Double($0.number)) })
        text.add(
            "kinto_live_since_seconds", "gauge", "When it went live, in seconds since 1970.",
            live.compactMap { release in
                release.liveAt.map {
                    (MetricsRoutes.labels(release.target), Double($0.milliseconds) / 1000)
                }
            })
        let instances = live.flatMap { release in release.instances.map { (release.target, $0) } }
        text.add(
            "kinto_instance_restarts", "gauge", "Restarts of an instance since its release started it.",
            instances.map { target, instance in
                let state = try? SupervisorState.read(instance.statePath)
                return (
                    MetricsRoutes.labels(target) + [("instance", instance.name)],
                    Double(state?.restarts ?? instance.restarts)
                )
            })
    }

    private func addCounts(_ text: inout MetricsText) async throws {
        let proxy = try? await actions.routes.counters()
        text.add("kinto_proxy_up", "gauge", "1: the proxy answers.", proxy == nil ? 0 : 1)
        let counts = try await counts.now(proxy ?? [])
        let known = Set(try await actions.store.environments().map(\.target.description))
        let services = Set(known.map { String($0.prefix { $0 != "/" }) })
        let ended = counts.ended.filter { services.contains($0.key.service) }.sorted {
            ($0.key.service, $0.key.environment, $0.key.status)
                < ($1.key.service, $1.key.environment, $1.key.status)
        }
        text.add(
            "kinto_releases_ended_total", "counter", "Releases that ended since the server started.",
            ended.map {
                (
                    [
                        ("service", $0.key.service), ("environment", $0.key.environment),
                        ("status", $0.key.status),
                    ], Double($0.value)
                )
            })
        let runs = counts.runs.filter { services.contains($0.key.service) }.sorted {
            ($0.key.service, $0.key.environment, $0.key.type, $0.key.state)
                < ($1.key.service, $1.key.environment, $1.key.type, $1.key.state)
        }
        text.add(
            "kinto_cron_runs_total", "counter",
            "Runs by schedules that ended, or did not come to be, since the server started.",
            runs.map {
                (
                    [
                        ("service", $0.key.service), ("environment", $0.key.environment),
                        ("type", $0.key.type), ("state", $0.key.state),
                    ], Double($0.value)
                )
            })
        let verdicts = counts.verdicts.filter { services.contains($0.key.service) }.sorted {
            ($0.key.service, $0.key.status) < ($1.key.service, $1.key.status)
        }
        text.add(
            "kinto_webhook_deliveries_total", "counter",
            "Deliveries on record since the server started, by the status of the answer.",
            verdicts.map {
                ([("service", $0.key.service), ("status", "\($0.key.status)")], Double($0.value))
            })
        text.add(
            "kinto_stage_duration_seconds", "Time of the stages of releases that ended.",
            counts.stages.sorted { $0.key < $1.key }.map { ([("stage", $0.key)], $0.value) })
        let requests = counts.requests.filter { known.contains($0.key) }.sorted { $0.key < $1.key }
        func perTarget(_ path: KeyPath<EventCounts.Requests, UInt64>) -> [Sample] {
            requests.map { target, counts in
                let parts = target.split(separator: "/").map { String($0) }
                return (
                    [("service", parts[0]), ("environment", parts.count > 1 ? parts[1] : "")],
                    Double(counts[keyPath: path])
                )
            }
        }
        text.add("kinto_requests_total", "counter", "Requests that the proxy took.", perTarget(\.all))
        text.add(
            "kinto_request_errors_total", "counter", "Of these, answered with 500 or above.",
            perTarget(\.errors))
        text.add(
            "kinto_requests_failed_total", "counter",
            "Of these, answered by the proxy itself, or broken off.",
            perTarget(\.failed))
        text.add(
            "kinto_requests_delayed_total", "counter", "Of these, made to wait for an instance.",
            perTarget(\.delayed))
    }

    private static func labels(_ target: Target) -> [(String, String)] {
        [("service", target.service.description), ("environment", target.environment.description)]
    }

    /// Under the names that Prometheus's own libraries use.
    private static func addProcess(_ text: inout MetricsText) {
        if let bytes = try? Files.read("/proc/self/statm"),
            let pages = String(decoding: bytes, as: UTF8.self).split(separator: " ").dropFirst().first
                .flatMap({
                    Double($0)
                })
        {
            text.add(
                "process_resident_memory_bytes", "gauge", "Memory in use.",
                pages * Double(sysconf(Int32(_SC_PAGESIZE))))
        }
        if let names = try? Files.list("/proc/self/fd") {
            text.add("process_open_fds", "gauge", "Open descriptors.", Double(names.count))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < 1 << 40 {
            text.add("process_max_fds", "gauge", "The most that may be open.", Double(limit.rlim_cur))
        }
        var usage = timespec()
        if clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &usage) == 0 {
            text.add(
                "process_cpu_seconds_total", "counter", "Processor time.",
                Double(usage.tv_sec) + Double(usage.tv_nsec) / 1e9)
        }
    }
}
