// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct EnvironmentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "environment", abstract: "Environments of a service beside production.",
        discussion: """
            Each has its own releases, configuration and addresses, and is deployed by its own branch or tags. All commands
            that take a service take one with -e.

            EXAMPLES:
              kinto environment add hello staging                          deployed by the branch 'staging'
              kinto environment add hello review --branch 'feature/*'      by any of these, the last one pushed
              kinto environment set hello production --branch 'tags/v*'    by tags
              kinto config hello set -e staging LOG_LEVEL=debug
            """,
        subcommands: [Add.self, List.self, Show.self, Set.self, Remove.self])

    enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add an environment.")
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String
        @Argument var environment: String
        @Option(
            help:
                "What deploys it: a branch, a pattern (feature/*, release/**) or tags (tags/v*). Without: its name."
        )
        var branch: String?
        @Option(help: "off: pushes are not deployed, only what is asked for by hand.") var autoDeploy = Switch
            .on
        @Flag(help: "Pushes do not deploy it, and a deploy by hand wants its name typed.") var protect = false

        func run() async throws {
            var body: [String: Any] = [
                "environment": environment, "autoDeploy": autoDeploy == .on, "protect": protect,
            ]
            body["branch"] = branch
            EnvironmentView.show(
                try await options.client.call("POST", "/services/\(name)/environments", body), options)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the environments of a service.")
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String

        func run() async throws {
            let list = try await options.client.call("GET", "/services/\(name)/environments")
            if options.json { return Output.json(list) }
            Output.table(
                [["ENVIRONMENT", "BRANCH", "PUSHES", "LIVE", "URL"]]
                    + (list as? [[String: Any]] ?? []).map { environment in
                        [
                            environment["environment"] as? String ?? "",
                            Output.safe(environment["branch"] as? String ?? ""),
                            EnvironmentView.pushes(environment),
                            (environment["live"] as? Int).map { "\($0)" } ?? "-",
                            Output.safe(environment["url"] as? String ?? ""),
                        ]
                    })
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Everything about one, as JSON.")
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String
        @Argument var environment: String

        func run() async throws {
            Output.json(
                try await options.client.call("GET", "/services/\(name)/environments/\(environment)"))
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change what deploys an environment.")
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String
        @Argument var environment: String
        @Option(help: "A branch, a pattern (feature/*, release/**) or tags (tags/v*).") var branch: String?
        @Option(help: "off: pushes are not deployed, only what is asked for by hand.") var autoDeploy: Switch?
        @Option(help: "on: pushes do not deploy it, and a deploy by hand wants its name typed.")
        var protect: Switch?

        func validate() throws {
            if branch == nil, autoDeploy == nil, protect == nil {
                throw ValidationError("name what to set, see kinto environment set --help")
            }
        }

        func run() async throws {
            var body: [String: Any] = [:]
            body["branch"] = branch
            body["autoDeploy"] = autoDeploy.map { $0 == .on }
            body["protect"] = protect.map { $0 == .on }
            EnvironmentView.show(
                try await options.client.call("PATCH", "/services/\(name)/environments/\(environment)", body),
                options)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop an environment and remove all that kinto keeps of it.")
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String
        @Argument var environment: String
        @Flag(help: "I mean it; without, the name has to be typed.") var yes = false

        func run() async throws {
            if !yes {
                try Confirmation.ask(
                    for: "\(name)/\(environment)",
                    "this removes the environment, its releases and its variables")
            }
            _ = try await options.client.call(
                "DELETE", "/services/\(name)/environments/\(environment)", timeout: ControlClient.removal)
            if !options.quiet { Output.line("environment \(environment) of \(name) is removed") }
        }
    }
}

/// An environment for people.
private enum EnvironmentView {
    static func show(_ answer: Any, _ options: GlobalOptions) {
        if options.json { return Output.json(answer) }
        guard !options.quiet, let environment = answer as? [String: Any] else { return }
        let name = "\(environment["service"] as? String ?? "")/\(environment["environment"] as? String ?? "")"
        let branch = Output.safe(environment["branch"] as? String ?? "")
        Output.line("-----> \(name) deploys \((try? RefPattern(branch))?.words ?? RefName.words(branch))")
        Output.line("       pushes: \(pushes(environment))")
        Output.line("       \(Output.safe(environment["url"] as? String ?? ""))")
    }

    static func pushes(_ environment: [String: Any]) -> String {
        if let end = environment["previewUntil"] as? String { return "preview until \(end)" }
        if environment["protect"] as? Bool == true { return "protected" }
        return environment["autoDeploy"] as? Bool == false ? "not deployed" : "deployed"
    }
}
