// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct Deploy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deploy the branch, or a commit of it, and follow it to its end.",
        discussion:
            "EXAMPLES:\n  kinto deploy hello\n  kinto deploy hello --ref 1a2b3c4 --detach\n  kinto deploy hello --plan\n  kinto deploy hello -e staging"
    )
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Option(help: "A commit of the branch; or which branch or tag, where there are many.") var ref: String?
    @Flag(help: "Do not wait.") var detach = false
    @Flag(help: "Only say what would happen, with the time that each step usually takes.") var plan = false
    @OptionGroup var waiting: WaitOptions
    @Flag(help: "Build anew and without caches, also what was built before.") var noCache = false
    @Flag(help: "Deploy also what is live already.") var force = false
    @Option(
        help: ArgumentHelp("For a protected environment: its name, typed.", valueName: "name/environment"))
    var confirm: String?

    func run() async throws {
        var body: [String: Any] = ["environment": options.env, "noCache": noCache, "force": force]
        body["ref"] = ref
        body["confirm"] = confirm
        if plan {
            let answer = try await options.client.call("POST", "/services/\(name)/plan", body)
            return try PlanView(plan: answer as? [String: Any] ?? [:]).show(options)
        }
        let release =
            try await options.client.call("POST", "/services/\(name)/deploy", body) as? [String: Any] ?? [:]
        if release["alreadyLive"] as? Bool == true {
            if options.json { return Output.json(release) }
            Output.line(
                "release \(release["number"] as? Int ?? 0) of \(name) is live with this commit and configuration already; deploy it again with --force"
            )
        } else if detach {
            options.json
                ? Output.json(release) : Output.line("release \(release["number"] as? Int ?? 0) is queued")
        } else {
            try await Following(options: options, service: name).follow(release, for: waiting.limit)
        }
    }
}

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "What is live, queued and running.")
    @OptionGroup var options: GlobalOptions
    @Argument var name: String?

    func run() async throws {
        let answer = try await options.client.call("GET", "/status" + (name.map { "?service=\($0)" } ?? ""))
        var status = answer as? [String: Any] ?? [:]
        let all = status["services"] as? [[String: Any]] ?? []
        // Who asks for one that is not there is told so.
        if let name, all.isEmpty {
            _ = try await options.client.call("GET", "/services/\(name)/environments")
        }
        let services = all.filter {
            options.chosenEnvironment == nil || $0["environment"] as? String == options.chosenEnvironment
        }
        if let chosen = options.chosenEnvironment, services.isEmpty, !all.isEmpty {
            Output.trouble("\(name ?? "no service") has \(name == nil ? "an" : "no") environment '\(chosen)'")
            throw ExitCode(3)
        }
        status["services"] = services
        if options.json { return Output.json(status) }
        Output.table(
            [["SERVICE", "ENVIRONMENT", "BRANCH", "LIVE", "COMMIT", "QUEUED", "URL"]]
                + services.map { service in
                    let live = service["live"] as? [String: Any]
                    return [
                        service["name"] as? String ?? "", service["environment"] as? String ?? "",
                        Output.safe(service["branch"] as? String ?? ""),
                        service["suspended"] as? Bool == true
                            ? "suspended" : (live?["number"] as? Int).map { "\($0)" } ?? "-",
                        String((live?["commit"] as? String ?? "-").prefix(7)),
                        "\(service["queued"] as? Int ?? 0)",
                        service["url"] as? String ?? "",
                    ]
                })
        for service in services {
            let name = "\(service["name"] as? String ?? "")/\(service["environment"] as? String ?? "")"
            if let failed = service["failed"] as? [String: Any] {
                Output.line(" !     \(WhyView.line(failed))")
            }
            for wait in service["waits"] as? [[String: Any]] ?? [] {
                let until = (wait["until"] as? String).map { ", until \($0) at the latest" } ?? ""
                Output.line("       \(name): \(Output.safe(wait["on"] as? String ?? ""))\(until)")
            }
            for schedule in service["cron"] as? [[String: Any]] ?? [] {
                let (type, last) = (schedule["type"] as? String ?? "", schedule["last"] as? [String: Any])
                guard let last,
                    !["succeeded", "stopped", "replaced"].contains(last["state"] as? String ?? "")
                else {
                    continue
                }
                Output.line(
                    " !     \(name): \(type) \(CronView.line(last)); kinto cron \(service["name"] as? String ?? "") history \(type)"
                )
            }
            if service["paused"] as? Bool == true {
                Output.line(" !     \(name) is paused: requests wait; kinto resume lets them in")
            }
            if service["maintenance"] as? Bool == true {
                Output.line(" !     \(name) is closed to visitors: kinto maintenance … off opens it")
            }
            if service["protect"] as? Bool == true {
                Output.line("       \(name) is protected: pushes do not deploy it")
            } else if service["autoDeploy"] as? Bool == false {
                Output.line("       pushes to \(name) are not deployed: automatic deploys are off")
            }
            if let reason = service["deploysStopped"] as? String {
                Output.line(
                    " !     pushes to \(name) are not deployed: \(reason); kinto deploy by hand starts them again"
                )
            }
        }
        if name == nil, let storage = status["storage"] as? [String: Any] {
            Output.line(Bytes.line(storage))
        }
        let spool = status["spool"] as? [String: Any]
        if let aside = spool?["setAside"] as? [String], !aside.isEmpty {
            Output.line(
                " !     \(aside.count) pushes that hooks left could not be taken up: see \(Output.safe(spool?["directory"] as? String ?? ""))"
            )
        }
        let proxy = status["proxy"] as? [String: Any]
        for certificate in proxy?["certificates"] as? [[String: Any]] ?? [] {
            let isWell = certificate["problem"] == nil && certificate["daysLeft"] as? Int ?? -1 >= 14
            Output.line((isWell ? "       " : " !     ") + Output.safe(CertificateView.line(certificate)))
        }
    }
}

struct Releases: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The history, newest first, or one release with the time that its stages took.")
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument(help: "Of this release only.") var number: Int?
    @Option(name: .short, help: "How many; 10000 at most.") var n = 100

    func run() async throws {
        if let number {
            let release = try await options.client.call(
                "GET", "/services/\(name)/releases/\(number)?env=\(options.env)")
            return options.json
                ? Output.json(release) : ReleaseDetail(release: release as? [String: Any] ?? [:]).show()
        }
        let releases = try await options.client.call(
            "GET", "/services/\(name)/releases?env=\(options.env)&limit=\(min(n, 10_000))")
        if options.json { return Output.json(releases) }
        Output.table(ReleaseView.rows(releases as? [[String: Any]] ?? []))
    }
}

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Release log and console log.",
        discussion: """
            EXAMPLES:
              kinto logs hello -f
              kinto logs hello --process worker
              kinto logs hello --release 3 --process worker.2
            """)
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Option(help: "Of this release.") var release: Int?
    @Flag(help: "The release log.") var build = false
    @Flag(help: "The console log.") var console = false
    @Option(help: "The console log of a process type, or of one instance: worker, worker.2.") var process:
        String?
    @Flag(name: .short, help: "Follow.") var follow = false
    @Option(name: .short, help: "The last lines only.") var n: Int?

    func run() async throws {
        let releases =
            try await options.client.call("GET", "/services/\(name)/releases?env=\(options.env)")
            as? [[String: Any]] ?? []
        let newest = releases.first
        let live = releases.first { $0["live"] as? Bool == true }
        let inProgress = ["queued", "deploying"].contains(newest?["status"] as? String ?? "")
        let showsConsole = console || process != nil || (!build && !inProgress && release == nil)
        guard let number = release ?? (showsConsole ? live ?? newest : newest)?["number"] as? Int else {
            Output.trouble("\(name) has no release yet")
            throw ExitCode(3)
        }
        let tail = n.map { "&tail=\($0)" } ?? (showsConsole ? "&tail=100" : "")
        let place = "/services/\(name)/releases/\(number)/\(showsConsole ? "console" : "log")"
        let query = "?env=\(options.env)&follow=\(follow ? 1 : 0)\(tail)"
        let chosen = releases.first { $0["number"] as? Int == number }
        if showsConsole, !options.json, !options.quiet, (chosen?["instances"] as? [Any])?.isEmpty == true,
            chosen?["live"] as? Bool == true
        {
            Output.trouble(
                "nothing of release \(number) runs; what was said when it was made: kinto logs \(name) --build"
            )
        }
        let names = Logs.instances(process, chosen)
        guard names.count > 1 else {
            let only = names.first.map { "&process=\($0)" } ?? ""
            return try await options.client.stream(place + query + only, LogView(json: options.json))
        }
        guard follow else {
            for one in names {
                try await options.client.stream(
                    "\(place)\(query)&process=\(one)", LogView(json: options.json, of: one))
            }
            return
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for one in names {
                group.addTask {
                    try await options.client.stream(
                        "\(place)\(query)&process=\(one)", LogView(json: options.json, of: one))
                }
            }
            try await group.waitForAll()
        }
    }
}

extension Logs {
    /// Those that are meant: of a type all that run.
    private static func instances(_ process: String?, _ release: [String: Any]?) -> [String] {
        guard let process else { return [] }
        let plain = process.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
        guard !plain.contains(".") else { return [plain] }
        let running = (release?["instances"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
        let own = running.filter { ProcessGroup.type(of: $0) == plain }
        return own.isEmpty ? [plain] : own
    }
}

struct Rollback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make an earlier successful release live again, without a build.",
        discussion: "EXAMPLES:\n  kinto rollback hello\n  kinto rollback hello 3 --current-config")
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument var number: Int?
    @Flag(help: "With today's configuration.") var currentConfig = false
    @Flag(help: "Do not wait.") var detach = false
    @OptionGroup var waiting: WaitOptions

    func run() async throws {
        var body: [String: Any] = ["environment": options.env, "currentConfig": currentConfig]
        body["number"] = number
        let answer =
            try await options.client.call("POST", "/services/\(name)/rollback", body) as? [String: Any] ?? [:]
        let release = answer["release"] as? [String: Any] ?? [:]
        if !options.json {
            for line in answer["configDiff"] as? [String] ?? [] {
                Output.line("       configuration \(Output.safe(line))")
            }
        }
        if detach {
            options.json
                ? Output.json(release) : Output.line("release \(release["number"] as? Int ?? 0) is queued")
        } else {
            try await Following(options: options, service: name).follow(release, for: waiting.limit)
        }
    }
}

struct Abort: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop a queued or deploying release; what is live stays.")
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument var number: Int?

    func run() async throws {
        var body: [String: Any] = ["environment": options.env]
        body["number"] = number
        let release =
            try await options.client.call("POST", "/services/\(name)/abort", body) as? [String: Any] ?? [:]
        options.json
            ? Output.json(release)
            : Output.line("release \(release["number"] as? Int ?? 0): \(release["status"] as? String ?? "")")
    }
}
