// SPDX-License-Identifier: Apache-2.0
internal import HTTPClient
internal import KintoCore
internal import Logging
internal import Wire

/// Tells forges and people what becomes of releases, beside the deploys and never in their way. A target that is slow or away
/// delays nobody but itself, and is told what is true when it is back.
struct Reporter: Sendable {
    /// Pauses between tries, from the first to the longest.
    private static let pauses: [Duration] = [
        .seconds(2), .seconds(10), .seconds(60), .seconds(300), .seconds(1800),
    ]
    /// So many tries, about three days of them; then it is given up and stands in `kinto report list`.
    private static let tries = 150

    let store: Store
    let publicURL: String?
    let logger: Logger

    /// Until it is cancelled.
    func run() async {
        while !Task.isCancelled {
            await withTaskGroup(of: Void.self) { group in
                // What changed, and what is to be tried again.
                let (due, tell) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
                group.addTask {
                    for await _ in store.changesOfReleases() { tell.yield() }
                    tell.finish()
                }
                var again: Task<Void, any Error>?
                for await _ in due {
                    await tellAll()
                    again?.cancel()
                    guard let next = try? await store.nextReport() else { continue }
                    let left = max(0, next.milliseconds - Timestamp.now.milliseconds)
                    again = Task {
                        try await Task.sleep(for: .milliseconds(left + 5))
                        tell.yield()
                    }
                }
                again?.cancel()
                group.cancelAll()
            }
            // It cannot be watched now.
            try? await Task.sleep(for: .seconds(5))
        }
    }

    private func tellAll() async {
        let targets = (try? await store.reportTargets()) ?? []
        await withTaskGroup(of: Void.self) { group in
            for one in targets { group.addTask { await tell(one.target) } }
        }
    }

    /// One after the other, in the order of the releases, until nobody answers.
    private func tell(_ target: ReportTarget) async {
        while let reports = try? await store.pendingReports(target.id, at: .now), !reports.isEmpty {
            for report in reports {
                guard !Task.isCancelled, await tell(report) else { return }
            }
        }
    }

    /// - Returns: whether somebody answers there, whatever was said.
    private func tell(_ report: PendingReport) async -> Bool {
        do {
            guard let service = try await store.service(report.release.target.service),
                let request = ReportRequest(report: report, service: service, publicURL: publicURL).make()
            else {
                try await store.reported(report)
                return true
            }
            do {
                let answer = try await HTTPClient.send(request)
                if (200..<300).contains(answer.status) {
                    try await store.reported(report)
                    return true
                }
                // One that is refused does not keep the others back.
                try await failed(report, "answered \(answer.status)")
                return true
            } catch let error as HTTPClient.TransportError {
                try await failed(report, error.description)
                return false
            }
        } catch { return false }
    }

    private func failed(_ report: PendingReport, _ problem: String) async throws {
        let what = "release \(report.release.upstream) (\(report.release.status.rawValue)): \(problem)"
        if report.attempts + 1 >= Self.tries {
            logger.error(
                "a report is given up", metadata: ["report": "\(report.target.id)", "of": "\(what)"])
            return try await store.reported(report, problem: "given up: \(what)")
        }
        if report.attempts == 0 {
            logger.warning("a report failed", metadata: ["report": "\(report.target.id)", "of": "\(what)"])
        }
        let pause = Self.pauses[min(report.attempts, Self.pauses.count - 1)] * Double.random(in: 0.8...1.2)
        let next = Timestamp(milliseconds: Timestamp.now.milliseconds + Int64(pause / .milliseconds(1)))
        try await store.reportFailed(report, what, next: next)
    }
}
