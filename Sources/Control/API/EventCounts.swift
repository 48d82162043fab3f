// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore
internal import Wire

/// What is counted since the server started. Releases and deliveries are taken from the events when somebody asks: of more than ten
/// thousand of these between two looks the older ones are left out.
actor EventCounts {
    struct Ended: Hashable, Sendable {
        let service, environment, status: String
    }
    /// A run by a schedule.
    struct Run: Hashable, Sendable {
        let service, environment, type, state: String
    }
    struct Verdict: Hashable, Sendable {
        let service: String
        let status: Int
    }
    struct Requests: Sendable {
        var all: UInt64 = 0
        var errors: UInt64 = 0
        var failed: UInt64 = 0
        var delayed: UInt64 = 0
    }
    struct Snapshot: Sendable {
        var ended: [Ended: Int] = [:]
        var verdicts: [Verdict: Int] = [:]
        var runs: [Run: Int] = [:]
        /// By stage.
        var stages: [String: Histogram] = [:]
        /// By target.
        var requests: [String: Requests] = [:]
    }

    private struct Ending: Decodable {
        let service: String
        let environment: String
        let number: Int
        let status: Release.Status
        let was: Release.Status?
    }

    private struct Decided: Decodable {
        let service: String
        let status: Int
    }

    private struct Ran: Decodable {
        let service, environment, type, state: String
    }

    private let store: Store
    private var next: Int64?
    private var counts = Snapshot()
    private var looking: Task<Void, any Error>?
    /// By upstream, as the proxy said last.
    private var seen: [String: ProxyReply.Counters] = [:]

    init(store: Store) { self.store = store }

    /// From now on.
    func begin() async throws {
        let last = try await store.lastEvent()
        next = next ?? last
    }

    /// - Parameter proxy: what the proxy counts, which begins anew with each proxy and each release.
    func now(_ proxy: [ProxyReply.Counters]) async throws -> Snapshot {
        add(proxy)
        // One look at a time: each counts what came since the one before.
        let before = looking
        let look = Task {
            _ = try? await before?.value
            try await self.look()
        }
        looking = look
        try await look.value
        return counts
    }

    private func add(_ proxy: [ProxyReply.Counters]) {
        for now in proxy {
            let before = seen[now.upstream] ?? .init(upstream: now.upstream)
            let isNew = now.requests < before.requests
            func grown(_ path: KeyPath<ProxyReply.Counters, UInt64>) -> UInt64 {
                let earlier = isNew ? 0 : before[keyPath: path]
                return now[keyPath: path] - min(now[keyPath: path], earlier)
            }
            let target = now.upstream.split(separator: "/").prefix(2).joined(separator: "/")
            var total = counts.requests[target] ?? Requests()
            total.all &+= grown(\.requests)
            total.errors &+= grown(\.errors)
            total.failed &+= grown(\.failed)
            total.delayed &+= grown(\.delayed)
            counts.requests[target] = total
        }
        seen = Dictionary(proxy.map { ($0.upstream, $0) }, uniquingKeysWith: { $1 })
    }

    private func look() async throws {
        if next == nil { try await begin() }
        while let at = next {
            let found = try await store.events(after: at, limit: 500)
            for event in found.events { await count(event) }
            next = found.next
            if found.next == at { return }
        }
    }

    private func count(_ event: StoreEvent) async {
        let body = Data(event.body.utf8)
        if event.kind == "delivery", let decided = try? JSONDecoder().decode(Decided.self, from: body) {
            counts.verdicts[Verdict(service: decided.service, status: decided.status), default: 0] += 1
        }
        if event.kind == "cron", let ran = try? JSONDecoder().decode(Ran.self, from: body),
            ran.state != "running"
        {
            counts.runs[
                Run(service: ran.service, environment: ran.environment, type: ran.type, state: ran.state),
                default: 0] += 1
        }
        guard event.kind == "release", let ending = try? JSONDecoder().decode(Ending.self, from: body),
            ending.status.isFinal, ending.status != ending.was
        else { return }
        counts.ended[
            Ended(
                service: ending.service, environment: ending.environment, status: ending.status.rawValue),
            default: 0] += 1
        guard ending.was?.isFinal != true, let service = try? ServiceName(ending.service),
            let environment = try? EnvironmentName(ending.environment),
            let release = try? await store.release(
                Target(service: service, environment: environment), ending.number)
        else { return }
        for (stage, milliseconds) in release.timings {
            counts.stages[stage, default: Histogram()].add(milliseconds / 1000)
        }
    }
}
