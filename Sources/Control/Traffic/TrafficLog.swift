// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Synchronization
internal import Wire

/// The requests of the last ten minutes, as the proxy counted them: a sample a second while somebody looks on, one in ten seconds
/// otherwise. In memory only. Releases without requests cost nothing; of all that are kept the oldest go beyond ``most``.
actor TrafficLog {
    /// What one release had in one stretch of time.
    struct Sample: Sendable {
        /// The end of the stretch.
        let at: Timestamp
        let seconds: Double
        let release: Int
        let requests, errors, failed, delayed: UInt64
        let times: AnswerTimes
    }

    static let window = Duration.seconds(600)
    /// Some 300 bytes each.
    private static let most = 40_000

    private let counters: @Sendable () async throws -> [ProxyReply.Counters]
    private(set) var samples: [Target: [Sample]] = [:]
    private var count = 0
    /// By upstream, as the proxy said last; nil: it was never asked.
    private var seen: [String: ProxyReply.Counters]?
    private var seenAt = ContinuousClock.now
    /// The latest looks after the first, oldest first.
    private(set) var looks: [(at: Timestamp, seconds: Double)] = []
    private var attendedUntil = ContinuousClock.now
    private var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
    private var next = 0
    private let woken: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// - Parameter counters: asks the proxy.
    init(counters: @escaping @Sendable () async throws -> [ProxyReply.Counters]) {
        self.counters = counters
        (woken, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Until the task is cancelled.
    func run() async {
        await look()
        var alarm = remind()
        // Ends when the task is cancelled.
        for await _ in woken {
            alarm.cancel()
            await look()
            alarm = remind()
        }
        alarm.cancel()
    }

    private func remind() -> Task<Void, Never> {
        let isWatched = !watchers.isEmpty || attendedUntil > .now
        let pause: Duration = isWatched ? .seconds(1) : .seconds(10)
        return Task { [wake] in
            if (try? await Task.sleep(for: pause)) != nil { wake.yield() }
        }
    }

    /// A value after each sample, until the stream is let go.
    func watch() -> AsyncStream<Void> {
        let (stream, told) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        next += 1
        let number = next
        watchers[number] = told
        told.onTermination = { _ in Task { await self.leave(number) } }
        told.yield()
        wake.yield()
        return stream
    }

    private func leave(_ number: Int) { watchers[number] = nil }

    /// Somebody who asks again and again looks on: the proxy is asked once a second until they stopped asking.
    func attend() {
        let isNew = watchers.isEmpty && attendedUntil <= .now
        attendedUntil = .now + .seconds(10)
        if isNew { wake.yield() }
    }

    /// Of a target, oldest first.
    func samples(_ target: Target, after: Timestamp? = nil) -> [Sample] {
        let all = samples[target] ?? []
        guard let after else { return all }
        return Array(all[(all.lastIndex { $0.at <= after }.map { $0 + 1 } ?? 0)...])
    }

    // MARK: Looking

    private func look() async {
        // One that does not answer counts on; the next look has it all.
        guard let now = try? await counters() else { return }
        let at = ContinuousClock.now
        take(now, over: (at - seenAt) / .seconds(1), at: .now)
        seenAt = at
        for watcher in watchers.values { watcher.yield() }
    }

    /// - Parameter seconds: since the look before.
    func take(_ now: [ProxyReply.Counters], over seconds: Double, at: Timestamp) {
        defer { seen = Dictionary(now.map { ($0.upstream, $0) }, uniquingKeysWith: { $1 }) }
        // What came before the first look is of no known time.
        guard let before = seen else { return }
        looks.append((at, seconds))
        for counters in now {
            guard let (target, release) = TrafficLog.place(counters.upstream) else { continue }
            var earlier = before[counters.upstream] ?? .init(upstream: counters.upstream)
            // Another proxy, which begins anew.
            if earlier.requests > counters.requests { earlier = .init(upstream: counters.upstream) }
            func grown(_ path: KeyPath<ProxyReply.Counters, UInt64>) -> UInt64 {
                counters[keyPath: path] - min(counters[keyPath: path], earlier[keyPath: path])
            }
            let times = counters.times.grown(since: earlier.times)
            let requests = grown(\.requests)
            guard requests > 0 || times.total > 0 else { continue }
            samples[target, default: []].append(
                Sample(
                    at: at, seconds: max(seconds, 0.001), release: release, requests: requests,
                    errors: grown(\.errors), failed: grown(\.failed), delayed: grown(\.delayed), times: times)
            )
            count += 1
        }
        forget(at)
    }

    private func forget(_ now: Timestamp) {
        looks.removeAll { now.milliseconds - $0.at.milliseconds > Int64(TrafficLog.late / .milliseconds(1)) }
        let oldest = now.milliseconds - Int64(TrafficLog.window / .milliseconds(1))
        for (target, all) in samples {
            guard let first = all.first, first.at.milliseconds < oldest || count > TrafficLog.most else {
                continue
            }
            // Half of what one has goes at once when there is too much, so that it is not done for each sample.
            let late = all.firstIndex { $0.at.milliseconds >= oldest } ?? all.count
            let drop = max(late, count > TrafficLog.most ? (all.count + 1) / 2 : 0)
            count -= drop
            samples[target] = drop == all.count ? nil : Array(all[drop...])
        }
    }

    /// `SERVICE/ENVIRONMENT/NUMBER`
    private static func place(_ upstream: String) -> (Target, Int)? {
        let parts = upstream.split(separator: "/").map(String.init)
        guard parts.count == 3, let number = Int(parts[2]), let service = try? ServiceName(parts[0]),
            let environment = try? EnvironmentName(parts[1])
        else { return nil }
        return (Target(service: service, environment: environment), number)
    }
}
