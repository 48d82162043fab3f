// SPDX-License-Identifier: Apache-2.0
internal import HTTPClient
internal import KintoCore
internal import Logging
internal import Wire

/// Tells forges and people what becomes of releases and scheduled runs, beside the deploys and never in their way. Each target has a task of its own:
/// one that is slow or away delays nobody but itself, and is told what is true when it is back.
actor Reporter {
    /// Pauses between tries, from the first to the longest.
    private static let pauses: [Duration] = [
        .seconds(2), .seconds(10), .seconds(60), .seconds(300), .seconds(1800),
    ]
    /// So many tries, about three days of them; then it is given up and stands in `kinto report list`.
    private static let tries = 150
    /// What a place may ask for by Retry-After.
    private static let longestRest = Duration.seconds(86_400)
    /// Bytes: what is answered beside the status says why at most.
    private static let answerLimit = 16 << 10

    private let store: Store
    private let publicURL: String?
    private let place: ServicePlace
    private let logger: Logger
    /// The targets that are being told, and whether there is more for them meanwhile.
    private var told: [Int64: Bool] = [:]
    /// Those that asked to be left alone, and until when.
    private var resting: [Int64: Timestamp] = [:]
    private var again: Task<Void, any Error>?

    init(store: Store, publicURL: String?, place: ServicePlace, logger: Logger) {
        self.place = place
        self.store = store
        self.publicURL = publicURL
        self.logger = logger
    }

    /// Until it is cancelled.
    func run() async {
        while !Task.isCancelled {
            // One that discards: the tasks that are over are collected by nobody.
            await withDiscardingTaskGroup { group in
                // What changed, and what is to be tried again.
                let (due, tell) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
                group.addTask { [store] in
                    for await _ in store.changesOfReleases() { tell.yield() }
                    tell.finish()
                }
                for await _ in due {
                    for one in (try? await store.reportTargets()) ?? [] where begins(one.target.id) {
                        group.addTask {
                            repeat { await self.tell(one.target) } while await self.goesOn(one.target.id)
                            await self.wake { tell.yield() }
                        }
                    }
                }
                again?.cancel()
                group.cancelAll()
            }
            // It cannot be watched now.
            try? await Task.sleep(for: .seconds(5))
        }
    }

    /// - Returns: whether a task has to be made for the target; else the one that it has goes on.
    private func begins(_ id: Int64) -> Bool {
        defer { told[id] = told[id] != nil }
        return told[id] == nil
    }

    private func goesOn(_ id: Int64) -> Bool {
        if told[id] == true, !Task.isCancelled {
            told[id] = false
            return true
        }
        told[id] = nil
        return false
    }

    /// What failed is tried again at its time; the earliest of all is enough to wait for.
    private func wake(_ wake: @escaping @Sendable () -> Void) async {
        let next = try? await store.nextReport()
        again?.cancel()
        guard let next, !Task.isCancelled else { return }
        let left = max(0, next.milliseconds - Timestamp.now.milliseconds)
        again = Task {
            try await Task.sleep(for: .milliseconds(left + 5))
            wake()
        }
    }

    /// One after the other, in the order in which it happened, until nobody answers.
    private func tell(_ target: ReportTarget) async {
        while let reports = try? await store.pendingReports(target.id, at: .now), !reports.isEmpty {
            for report in reports {
                // Its first report is due again at that time, which wakes this.
                if let until = resting[target.id], until > .now { return }
                guard !Task.isCancelled, await tell(report) else { return }
            }
        }
    }

    /// - Returns: whether somebody answers there, whatever was said.
    private func tell(_ report: PendingReport) async -> Bool {
        do {
            guard let service = try await store.service(report.place.service),
                let form = ReportRequest(report: report, service: service, publicURL: publicURL, place: place)
                    .make()
            else {
                try await store.reported(report)
                return true
            }
            do {
                switch form {
                case .http(let request, let older):
                    try await post(request, orOlder: older, report, to: service)
                case .mail(let mail): try await send(mail, report)
                }
                return true
            } catch let error as HTTPClient.TransportError {
                try await failed(report, error.description)
                return false
            }
        } catch { return false }
    }

    private func post(
        _ request: HTTPClient.Request, orOlder older: HTTPClient.Request?, _ report: PendingReport,
        to service: RegisteredService
    ) async throws {
        var answer = try await HTTPClient.answer(request, limit: Self.answerLimit)
        if answer.status == 404, let older {
            answer = try await HTTPClient.answer(older, limit: Self.answerLimit)
        }
        if (200..<300).contains(answer.status)
            || report.target.kind == .status && StatusReport.isKnown(answer, to: service.provider)
        {
            return try await store.reported(report)
        }
        // One that is refused does not keep the others back, unless all of them are unwelcome for a while.
        let rest = answer.retryAfter.map { min(.seconds($0), Self.longestRest) }
        try await failed(report, "answered \(answer.status)", rest: rest)
    }

    private func send(_ mail: ReportMail, _ report: PendingReport) async throws {
        var refused: [SMTPClient.Refusal]
        do {
            do { refused = try await SMTPClient.send(mail.submission()) } catch let refusal
                as SMTPClient.Refusal
                where refusal.isPermanent && refusal.recipient != nil && mail.mail.to.count > 1
            {
                refused = try await SMTPClient.send(mail.submission(allowsRefusedRecipients: true))
            }
        } catch let refusal as SMTPClient.Refusal {
            return try await failed(report, refusal.description, forGood: refusal.isPermanent)
        }
        let problem = refused.isEmpty ? nil : refused.map(\.description).joined(separator: "; ")
        if let problem { warn(report, problem) }
        try await store.reported(report, problem: problem.map { "\(report.words): \($0)" })
    }

    private func warn(_ report: PendingReport, _ what: String) {
        logger.warning("a report failed", metadata: ["report": "\(report.target.id)", "of": "\(what)"])
    }

    /// - Parameters:
    ///   - forGood: the target said that it will not take it, however often it is asked.
    ///   - rest: for so long it wants nothing.
    private func failed(
        _ report: PendingReport, _ problem: String, forGood: Bool = false, rest: Duration? = nil
    ) async throws {
        let what = "\(report.words) (\(report.state)): \(problem)"
        if forGood || report.attempts + 1 >= Self.tries {
            logger.error(
                "a report is given up", metadata: ["report": "\(report.target.id)", "of": "\(what)"])
            return try await store.reported(report, problem: "given up: \(what)")
        }
        if report.attempts == 0 { warn(report, what) }
        let usual = Self.pauses[min(report.attempts, Self.pauses.count - 1)] * Double.random(in: 0.8...1.2)
        let pause = max(usual, rest ?? .zero)
        let next = Timestamp(milliseconds: Timestamp.now.milliseconds + Int64(pause / .milliseconds(1)))
        if rest != nil { resting[report.target.id] = next }
        try await store.reportFailed(report, what, next: next)
    }
}
