// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// A run by a schedule that failed, or the first that succeeded after it.
struct CronReport: News {
    let news: CronNews

    private var run: Run { news.run }
    private var kind: String { run.occasion?.type ?? "" }
    private var words: String { run.end?.words ?? "" }

    var type: String { news.isFailure ? "cron.failed" : "cron.recovered" }
    var at: Timestamp { run.end?.at ?? run.startedAt }
    var data: any Encodable { CronJSON(run) }
    var path: String { "\(run.target.environment)/cron" }
    var text: String { "\(run.target): \(run.name) \(news.isFailure ? words : "succeeded again")" }
    var subject: String { text }

    var lines: [String] {
        var lines = [
            "\(run.name) of \(run.target) \(news.isFailure ? words : "succeeded, after one that did not").",
            "",
            "Command:  \(run.command)",
        ]
        if let due = run.occasion?.due { lines.append("Due:      \(due.rfc3339)") }
        if let by = run.occasion?.by { lines.append("By:       \(by)") }
        lines += [
            "Release:  \(run.release)", "Began:    \(run.startedAt.rfc3339)", "Ended:    \(at.rfc3339)",
        ]
        guard news.isFailure else { return lines }
        return lines + [
            "", "What to do:", "",
            "  - see what it printed:", "      kinto cron \(run.target.words) logs \(kind) \(run.name)",
            "  - run it now:", "      kinto cron \(run.target.words) run \(kind)",
            "", "Nothing more is told of \(kind) until it succeeds.",
        ]
    }

    func identifier(for target: ReportTarget) -> String {
        "kinto-\(target.id)-cron-\(news.id)-\(run.startedAt.milliseconds)"
    }

    /// A run with whose it is.
    private struct CronJSON: Encodable {
        private enum Keys: String, CodingKey { case service, environment }

        private let target: Target
        private let run: CronRunJSON

        init(_ run: Run) {
            target = run.target
            self.run = CronRunJSON(run)
        }

        func encode(to encoder: any Encoder) throws {
            try run.encode(to: encoder)
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(target.service.description, forKey: .service)
            try container.encode(target.environment.description, forKey: .environment)
        }
    }
}
