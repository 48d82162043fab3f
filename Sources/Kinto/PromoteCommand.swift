// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import KintoCore

struct Promote: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make what is live in one environment a release of another, without a build.",
        discussion: """
            The artifact is the same; settings and variables are those of the other environment. What changes is shown first:
            commits, and names of variables that differ (+ only there, - only here, ~ another value).

            EXAMPLES:
              kinto promote hello staging production
              kinto promote hello staging production --dry-run
            """)
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument(help: "The environment whose live release is taken.") var from: String
    @Argument(help: "The one that gets it.") var to: String
    @Flag(help: "Show what would change, and change nothing.") var dryRun = false
    @Flag(help: "Do not wait.") var detach = false
    @OptionGroup var waiting: WaitOptions

    func run() async throws {
        let answer =
            try await options.client.call(
                "POST", "/services/\(name)/promote", ["from": from, "to": to, "dryRun": dryRun])
            as? [String: Any] ?? [:]
        guard let release = answer["release"] as? [String: Any] else {
            return options.json ? Output.json(answer) : show(answer)
        }
        if !options.json, !options.quiet { show(answer) }
        if detach {
            return options.json
                ? Output.json(release) : Output.line("release \(release["number"] as? Int ?? 0) is queued")
        }
        var there = options
        there.chosenEnvironment = to
        try await Following(options: there, service: name).follow(release, for: waiting.limit)
    }

    private func show(_ answer: [String: Any]) {
        Output.line("-----> Release \(answer["promoted"] as? Int ?? 0) of \(name)/\(from) to \(name)/\(to)")
        let commits = answer["commits"] as? [String] ?? []
        for commit in commits { Output.line("       \(Output.safe(commit))") }
        let count = answer["commitCount"] as? Int ?? 0
        if count > commits.count { Output.line("       and \(count - commits.count) commits before these") }
        if count == 0 { Output.line("       no commit that is not live there") }
        if answer["older"] as? Bool == true {
            Output.trouble("what is live in \(to) contains this commit: this goes back")
        }
        for line in answer["differences"] as? [String] ?? [] {
            Output.line("       configuration \(Output.safe(line))")
        }
    }
}
