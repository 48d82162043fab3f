// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import KintoCore

struct Why: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Why a release failed, what shows it, and what to do.",
        discussion: """
            Of the last release that failed, or of the given one. Steps with a number can be run by it: they are shown \
            again, then run in the current directory, by no shell.

            EXAMPLES:
              kinto why hello
              kinto why hello 12 --json
              kinto why hello --run 1
            """)
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument var number: Int?
    @Option(help: ArgumentHelp("Run the step of this number.", valueName: "step")) var run: Int?

    func run() async throws {
        let path = number.map { "/services/\(name)/releases/\($0)/why" } ?? "/services/\(name)/why"
        let why =
            try await options.client.call("GET", "\(path)?env=\(options.env)") as? [String: Any] ?? [:]
        guard let step = run else { return options.json ? Output.json(why) : WhyView.show(why) }
        let hints = why["hints"] as? [[String: Any]] ?? []
        guard hints.indices.contains(step - 1) else {
            Output.trouble(
                "there is no step \(step): 'kinto why \(options.words(name))' shows \(hints.count)")
            throw ExitCode(2)
        }
        guard let text = hints[step - 1]["command"] as? String else {
            Output.trouble(
                "step \(step) is nothing to run: \(Output.safe(hints[step - 1]["text"] as? String ?? ""))")
            throw ExitCode(2)
        }
        guard let command = StepCommand(text) else {
            Output.trouble(
                "this one has to be run by hand, with what it leaves open filled in: \(Output.safe(text))")
            throw ExitCode(2)
        }
        Output.error("$ \(Output.safe(text))\n")
        try command.become(options)
    }
}

/// A failure for people.
enum WhyView {
    static func show(_ why: [String: Any]) {
        let number = why["number"] as? Int ?? 0
        let slow = why["slow"] as? [String] ?? []
        guard let code = why["code"] as? String else {
            Output.line("release \(number) is \(why["status"] as? String ?? "")")
            for line in slow { Output.line("  \(Output.safe(line))") }
            return
        }
        Output.line(
            "Release \(number) failed at \(why["stage"] as? String ?? "its start"): \(safe(why["message"])) (\(code))"
        )
        if let cause = why["cause"] as? [String: Any] {
            Output.line("  Cause: \(safe(cause["message"])) (\(safe(cause["code"])))")
        } else if code.hasSuffix("-exit") || code == "exited" {
            let isSilent = (why["evidence"] as? [String] ?? []).isEmpty
            Output.line("  \(isSilent ? Failure.unknownSilent : Failure.unknownCause)")
        }
        for line in why["evidence"] as? [String] ?? [] { Output.line("  | \(Output.safe(line))") }
        for line in slow { Output.line("  Slow: \(Output.safe(line))") }
        for warning in why["warnings"] as? [[String: Any]] ?? [] {
            Output.line("  Warned before: \(safe(warning["message"])) (\(safe(warning["code"])))")
        }
        for (index, hint) in (why["hints"] as? [[String: Any]] ?? []).enumerated() {
            let command = hint["command"] as? String
            let sign = command.flatMap { StepCommand($0) } == nil ? " " : "\(index + 1)"
            Output.line("\(sign) -> \(safe(hint["text"]))\(command.map { ": \(Output.safe($0))" } ?? "")")
        }
    }

    /// `hello/production: release 4 failed: Node.js finds no module 'express' (node-module-missing); kinto why hello`
    static func line(_ why: [String: Any]) -> String {
        let cause = why["cause"] as? [String: Any] ?? why
        let (service, environment) = (safe(why["service"]), safe(why["environment"]))
        return
            "\(service)/\(environment): release \(why["number"] as? Int ?? 0) failed: \(safe(cause["message"])) (\(safe(cause["code"]))); kinto why \(GlobalOptions.words(service, environment)) says more"
    }

    private static func safe(_ value: Any?) -> String { Output.safe(value as? String ?? "") }
}
