// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct CronCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cron",
        abstract:
            "Types with a schedule: kinto cron NAME list | history [TYPE] | run TYPE | logs TYPE [RUN] | stop RUN",
        discussion: """
            What has a schedule is in kinto.json (docs/cron.md). run waits for the end and ends with the same exit code.

            EXAMPLES:
              kinto cron hello                       what is due when, and how it went last
              kinto cron hello history nightly
              kinto cron hello run nightly           now; --detach: without waiting
              kinto cron hello logs nightly          of its newest run
              kinto cron hello logs nightly nightly.7 -f
              kinto cron hello stop nightly.7
            """)
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument(
        help: "list, history, run, logs or stop.",
        completion: .list(["list", "history", "run", "logs", "stop"]))
    var action = "list"
    @Argument(help: "A type; of logs also a run, of stop a run.") var words: [String] = []
    @Flag(help: "run: do not wait.") var detach = false
    @Flag(name: .short, help: "logs: follow.") var follow = false
    @Option(name: .short, help: "history: how many; logs: the last lines only.") var n: Int?

    func validate() throws {
        let range =
            switch action {
            case "list": 0...0
            case "history": 0...1
            case "run", "stop": 1...1
            case "logs": 1...2
            default: throw ValidationError("'\(action)' is not list, history, run, logs or stop")
            }
        guard range.contains(words.count) else {
            throw ValidationError(
                words.count < range.lowerBound
                    ? "say which: kinto cron \(name) \(action) \(action == "stop" ? "RUN" : "TYPE")"
                    : "'\(words[range.upperBound])' is one word too many")
        }
        for word in words where !ProcessGroup.isName(word) && !ProcessGroup.isInstance(word) {
            throw ValidationError("'\(word)' is neither a type nor a run like nightly.7")
        }
    }

    private var path: String { "/services/\(name)/cron" }
    private var query: String { "?env=\(options.env)" }

    func run() async throws {
        switch action {
        case "history": try await history()
        case "run": try await runNow(words[0])
        case "logs": try await logs()
        case "stop":
            _ = try await options.client.call(
                "POST", "\(path)/stop", ["environment": options.env, "run": words[0]])
            if !options.quiet { Output.line("\(words[0]) has ended") }
        default: try await list()
        }
    }

    private func list() async throws {
        let answer = try await options.client.call("GET", path + query)
        if options.json { return Output.json(answer) }
        let schedules = answer as? [[String: Any]] ?? []
        guard !schedules.isEmpty else {
            return Output.line(
                "no schedule of \(options.words(name)) is in force: nothing that is live has one, or it is suspended"
            )
        }
        Output.table(
            [["TYPE", "SCHEDULE", "ZONE", "NEXT (UTC)", "NEXT THERE", "LAST"]]
                + schedules.map { schedule in
                    let running = schedule["running"] as? [String] ?? []
                    let last = (schedule["last"] as? [String: Any]).map(CronView.line)
                    return [
                        schedule["type"] as? String ?? "", Output.safe(schedule["schedule"] as? String ?? ""),
                        Output.safe(schedule["timezone"] as? String ?? ""),
                        String((schedule["next"] as? String ?? "-").prefix(16)),
                        String((schedule["nextLocal"] as? String ?? "-").prefix(16)),
                        running.isEmpty ? last ?? "-" : "\(running.joined(separator: ", ")) runs",
                    ]
                })
    }

    private func history() async throws {
        let type = words.first.map { "&type=\($0)" } ?? ""
        let limit = "&limit=\(max(1, min(n ?? 100, 10_000)))"
        let answer = try await options.client.call("GET", "\(path)/runs\(query)\(type)\(limit)")
        if let type = words.first, (answer as? [Any])?.isEmpty == true { try await require(type) }
        if options.json { return Output.json(answer) }
        Output.table(
            [["RUN", "RELEASE", "DUE", "STARTED", "TOOK", "RESULT"]]
                + (answer as? [[String: Any]] ?? []).map(CronView.row))
    }

    /// - Throws: exit code 3 for a type without a schedule.
    private func require(_ type: String) async throws {
        let schedules = try await options.client.call("GET", path + query) as? [[String: Any]] ?? []
        guard !schedules.contains(where: { $0["type"] as? String == type }) else { return }
        Output.trouble("no type '\(type)' of \(options.words(name)) has a schedule, or ran by one")
        Output.error("       see which have: kinto cron \(options.words(name))\n")
        throw ExitCode(3)
    }

    private func runNow(_ type: String) async throws {
        let answer =
            try await options.client.call("POST", "\(path)/run", ["environment": options.env, "type": type])
            as? [String: Any] ?? [:]
        let run = answer["run"] as? String ?? ""
        if detach {
            if options.json { return Output.json(answer) }
            if options.quiet { return Output.line(run) }
            Output.line("\(run) runs in release \(answer["release"] as? Int ?? 0)")
            return Output.line("       kinto cron \(options.words(name)) logs \(type) \(run) -f")
        }
        let log = "\(path)/runs/\(run)/log\(query)&follow=1&times=0"
        if options.json || options.quiet {
            _ = try await options.client.collect(log)
        } else {
            try await options.client.stream(log, LogView())
        }
        let end =
            try await options.client.call("GET", "\(path)/runs/\(run)\(query)") as? [String: Any] ?? [:]
        if options.json { Output.json(end) }
        if options.quiet { Output.line("\(run) \(CronView.result(end))") }
        throw ExitCode(CronView.status(end))
    }

    private func logs() async throws {
        var run = words.last ?? ""
        if !ProcessGroup.isInstance(run) {
            let runs = try await options.client.call("GET", "\(path)/runs\(query)&type=\(run)&limit=20")
            let ran = (runs as? [[String: Any]] ?? []).first {
                !["missed", "skipped"].contains($0["state"] as? String ?? "")
            }
            guard let newest = ran?["run"] as? String else {
                try await require(run)
                Output.trouble("\(run) of \(options.words(name)) did not run yet")
                throw ExitCode(3)
            }
            run = newest
        }
        // One that is not there is told in words, and not shown as its log.
        _ = try await options.client.call("GET", "\(path)/runs/\(run)\(query)")
        let tail = n.map { "&tail=\(max(0, $0))" } ?? ""
        try await options.client.stream(
            "\(path)/runs/\(run)/log\(query)&follow=\(follow ? 1 : 0)\(tail)", LogView(json: options.json))
    }
}

/// Runs by schedules, for people.
enum CronView {
    static func row(_ run: [String: Any]) -> [String] {
        let isAbsence = ["missed", "skipped"].contains(run["state"] as? String ?? "")
        return [
            isAbsence ? run["type"] as? String ?? "" : run["run"] as? String ?? "",
            "\(run["release"] as? Int ?? 0)",
            (run["due"] as? String).map { String($0.prefix(16)) }
                ?? "now\((run["by"] as? String).map { ", by \(Output.safe($0))" } ?? "")",
            isAbsence ? "-" : String((run["startedAt"] as? String ?? "").prefix(19)),
            isAbsence ? "-" : took(run), result(run),
        ]
    }

    /// `failed (3) 2026-11-23T03:00`
    static func line(_ run: [String: Any]) -> String {
        "\(result(run)) \((run["due"] as? String ?? run["startedAt"] as? String ?? "").prefix(16))"
    }

    static func result(_ run: [String: Any]) -> String {
        let state = run["state"] as? String ?? ""
        let count = run["count"] as? Int ?? 1
        if count > 1 {
            return "\(state) \(count) times, until \((run["until"] as? String ?? "").prefix(16))"
        }
        if let problem = run["problem"] as? String { return "\(state): \(Output.safe(problem))" }
        if state == "failed", let code = run["code"] as? Int { return "failed (\(code))" }
        return state
    }

    /// What the command that waited for it ends with.
    static func status(_ run: [String: Any]) -> Int32 {
        if run["state"] as? String == "timed-out" { return 124 }
        guard run["state"] as? String != "succeeded" else { return 0 }
        guard let code = run["code"] as? Int, (1...255).contains(code) else { return 1 }
        return Int32(code)
    }

    private static func took(_ run: [String: Any]) -> String {
        let times = [run["startedAt"], run["finishedAt"]].compactMap { ($0 as? String).flatMap(date) }
        guard times.count == 2 else { return "-" }
        let seconds = times[1].timeIntervalSince(times[0])
        return seconds < 10 ? "\(Int((seconds * 1000).rounded())) ms" : "\(Int(min(seconds, 1e9))) s"
    }

    private static func date(_ text: String) -> Date? {
        try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text)
    }
}
