// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Wire

/// The requests of an environment, second by second and release by release: as events for the plot, and as a table by minute.
struct TrafficPages: Sendable {
    let dashboard: Dashboard

    private var actions: Actions { dashboard.actions }

    func add(to router: NotedRouter) {
        dashboard.get(router, "/services/:name/:environment/traffic", .viewer) { visit in
            let target = try visit.target()
            try await actions.require(target)
            return stream(target, visit.context)
        }
    }

    /// For a plot: a stretch that ended at `at`.
    private struct Point: Encodable {
        /// Milliseconds since 1970.
        let at: Int64
        let release: Int
        /// Per second.
        let requests, errors: Double
        /// Milliseconds; nil: no answer came.
        let p50, p99: Double?
        let seconds: Double

        init(_ sample: TrafficLog.Sample) {
            at = sample.at.milliseconds
            release = sample.release
            requests = Double(sample.requests) / sample.seconds
            errors = Double(max(sample.errors, sample.failed)) / sample.seconds
            p50 = sample.times.within(0.5)
            p99 = sample.times.within(0.99)
            seconds = sample.seconds
        }
    }

    private struct News: Encodable {
        /// The server's clock, by which the plot ends.
        let now: Int64
        let points: [Point]
    }

    private func stream(_ target: Target, _ context: Dashboard.Context) -> Response {
        let traffic = actions.traffic
        return EventStream.response(context) { write in
            let encoder = JSONEncoder()
            var last: Timestamp?
            for await _ in await traffic.watch() {
                let samples = await traffic.samples(target, after: last)
                last = samples.last?.at ?? last
                let news = News(now: Timestamp.now.milliseconds, points: samples.map(Point.init))
                let data = String(decoding: try encoder.encode(news), as: UTF8.self)
                try await write(ByteBuffer(string: EventStream.event("traffic", data)))
            }
        }
    }

    /// The last ten minutes, each with what each release had, newest first.
    static func table(_ samples: [TrafficLog.Sample]) -> [[String: Any]] {
        struct Key: Hashable { let minute: Int64, release: Int }
        struct Sum {
            var requests: UInt64 = 0
            var errors: UInt64 = 0
            var times = AnswerTimes()
        }
        var sums: [Key: Sum] = [:]
        for sample in samples {
            let key = Key(minute: sample.at.milliseconds / 60_000, release: sample.release)
            sums[key, default: Sum()].requests += sample.requests
            sums[key, default: Sum()].errors += max(sample.errors, sample.failed)
            sums[key, default: Sum()].times += sample.times
        }
        return sums.sorted { ($0.key.minute, $0.key.release) > ($1.key.minute, $1.key.release) }.map {
            key, sum in
            let at = Timestamp(milliseconds: key.minute * 60_000).rfc3339
            return [
                "iso": at, "minute": String(at.dropFirst(11).prefix(5)), "release": key.release,
                "requests": "\(sum.requests)", "errors": "\(sum.errors)",
                "p50": sum.times.within(0.5).map(Moment.length) ?? "–",
                "p99": sum.times.within(0.99).map(Moment.length) ?? "–",
            ]
        }
    }
}
