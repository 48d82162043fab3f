// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service", abstract: "Register, list, show and remove services.",
        subcommands: [
            Add.self, List.self, Show.self, Set.self, RotateSecret.self, CheckRemote.self,
            Rename.self, Export.self, Import.self, Remove.self,
        ])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register a service.",
            discussion:
                "EXAMPLES:\n  kinto service add hello\n  kinto service add api --repo https://example.com/team/api.git --branch main"
        )
        @OptionGroup var options: GlobalOptions
        @Argument var name: String
        @Option(help: "A bare repository on this host, or a URL. Without: kinto makes one.") var repo: String?
        @Option(help: "What deploys: a branch, a pattern (release/*) or tags (tags/v*).") var branch = "main"
        @Option(help: "Where its settings lie in the repository, like services/api/kinto.json.")
        var config = "kinto.json"
        @Option(help: "Who sends its webhooks: \(Provider.list). Without: guessed from the URL.")
        var provider: String?
        @Option(help: "What a newer push does to a running one: wait, cancel or every.")
        var queue = QueuePolicy.wait.rawValue

        func validate() throws {
            try check(queue: queue)
            try check(provider: provider)
        }

        func run() async throws {
            var body: [String: Any] = ["name": name, "branch": branch, "config": config, "queue": queue]
            body["provider"] = provider
            body["repository"] = repo.map {
                $0.contains(":") || $0.hasPrefix("/") ? $0 : URL(fileURLWithPath: $0).path
            }
            let added = try await options.client.call("POST", "/services", body) as? [String: Any] ?? [:]
            options.json ? Output.json(added) : Output.added(added)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the services.")
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let services = try await options.client.call("GET", "/services")
            if options.json { return Output.json(services) }
            Output.table(
                [["SERVICE", "ENVIRONMENT", "BRANCH", "REPOSITORY"]]
                    + (services as? [[String: Any]] ?? []).map { service in
                        ["name", "environment", "branch", "repository"].map {
                            Output.safe(service[$0] as? String ?? "")
                        }
                    })
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Everything about one service, as JSON.")
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String

        func run() async throws { Output.json(try await options.client.call("GET", "/services/\(name)")) }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change the settings of a service.",
            discussion: """
                --queue says what a newer push does while one is being deployed:
                  wait    the running one finishes; of those that wait only the newest is deployed
                  cancel  the running one is aborted, unless its swap has begun
                  every   each is deployed, in order

                --missed says what becomes of a push to a remote repository of which no delivery told: deploy, warn
                (kinto deliveries lists it), or off.

                --provider says who sends the webhooks: what is signed in another way is refused.

                --token-from, --username and --ca-from are for https repositories; they are kept sealed.

                --submodule-hosts says where submodules may come from beside the repository's own host, by https and
                without credentials. See docs/repositories.md.

                --preview gives each pushed branch that fits an environment of its own, until the branch is deleted or
                --preview-for is over after its last push. --preview pull-requests gives one to each pull request from a
                branch of the repository, until it is closed; the forge's webhook has to tell of them. --preview-forks on gives one
                to those from forks, too: strangers' code runs with this server's rights then, but gets no secrets. See
                docs/previews.md.

                EXAMPLES:
                  kinto service set hello --queue cancel
                  kinto service set hello --preview 'feature/*' --preview-for 3d
                  kinto service set hello --preview pull-requests
                  kinto service set hello --preview-forks on
                  kinto service set hello --submodule-hosts github.com,git.example.com:8443
                  kinto service set hello --token-from token.txt
                  kinto service set hello --provider forgejo
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String
        @Option(help: "wait, cancel or every.") var queue: String?
        @Option(help: "\(Provider.list).") var provider: String?
        @Option(help: "deploy, warn or off.") var missed: String?
        @Option(help: "A file with the token for the https repository, or - for standard input; empty: none.")
        var tokenFrom: String?
        @Option(help: "The user name that goes with the token.") var username: String?
        @Option(help: "A PEM file of the only authorities that may sign the https host; empty: the system's.")
        var caFrom: String?
        @Option(help: "Hosts with commas between; empty: none.") var submoduleHosts: String?
        @Option(help: "A branch, a pattern (feature/*) or pull-requests; off: none any more.")
        var preview: String?
        @Option(help: "How long after its last push a preview stays; 7d.") var previewFor: String?
        @Option(help: "So many previews at a time; 10.") var previewMost: Int?
        @Option(
            help:
                "An environment whose variables and secrets previews get; empty: production's that are no secrets."
        )
        var previewConfig: String?
        @Option(help: "on or off: previews of pull requests from forks, without any secrets; off.")
        var previewForks: String?

        func validate() throws {
            if let missed, MissedPushPolicy(rawValue: missed) == nil {
                throw ValidationError("--missed is one of deploy, warn, off, not '\(missed)'")
            }
            if queue == nil, provider == nil, missed == nil, tokenFrom == nil, username == nil, caFrom == nil,
                submoduleHosts == nil, preview == nil, previewFor == nil, previewMost == nil,
                previewConfig == nil, previewForks == nil
            {
                throw ValidationError("name what to set, see kinto service set --help")
            }
            if let previewFor, TimeSpan(previewFor, upTo: PreviewRule.longest) == nil {
                throw ValidationError(
                    "--preview-for wants a time like 3d or 12h, at most 365d, not '\(previewFor)'")
            }
            if let previewForks, !["on", "off"].contains(previewForks) {
                throw ValidationError("--preview-forks is on or off, not '\(previewForks)'")
            }
            try queue.map { try check(queue: $0) }
            try check(provider: provider)
        }

        func run() async throws {
            var body: [String: Any] = [:]
            body["previews"] = preview.map { $0 == "off" ? "" : $0 }
            body["previewLifetime"] = previewFor.flatMap {
                TimeSpan($0, upTo: PreviewRule.longest)?.milliseconds
            }
            body["previewMost"] = previewMost
            body["previewConfig"] = previewConfig
            body["previewForks"] = previewForks.map { $0 == "on" }
            body["queue"] = queue
            body["provider"] = provider
            body["missed"] = missed
            body["token"] = try tokenFrom.map(Input.text)
            body["username"] = username
            body["submoduleHosts"] = submoduleHosts.map { hosts in
                hosts.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            }
            body["authorities"] = try caFrom.map(Input.text)
            let shown = try await options.client.call("PATCH", "/services/\(name)", body)
            if options.json { return Output.json(shown) }
            guard !options.quiet else { return }
            if let queue { Output.line("\(name): a newer push finds the queue at '\(queue)'") }
            if tokenFrom != nil || username != nil || caFrom != nil {
                Output.line(
                    "\(name): the repository is fetched with that; try it with: kinto service check \(name)")
            }
            if let submoduleHosts {
                Output.line(
                    "\(name): submodules come from the repository's own host\(submoduleHosts.isEmpty ? "" : " and \(submoduleHosts)")"
                )
            }
            if let missed { Output.line("\(name): a push of which no delivery told: \(missed)") }
            if body.keys.contains(where: { $0.hasPrefix("preview") }) { Output.previews(shown, name) }
            if let provider { Output.line("\(name): webhooks are read and checked as those of \(provider)") }
        }
    }

    struct CheckRemote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract:
                "Look whether a remote repository can be read, and trust its ssh host if it was never seen.")
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String

        func run() async throws {
            let answer =
                try await options.client.call("POST", "/services/\(name)/check", [:]) as? [String: Any] ?? [:]
            if options.json { return Output.json(answer) }
            Output.remote(answer, name)
            if (answer["check"] as? [String: Any])?["commit"] == nil { throw ExitCode(1) }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop a service and remove all that kinto keeps of it.")
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String
        @Flag(help: "I mean it; without, the name has to be typed.") var yes = false

        func run() async throws {
            if !yes {
                try Confirmation.ask(
                    for: name, "this removes the service, its releases and its repository under the home")
            }
            _ = try await options.client.call(
                "DELETE", "/services/\(name)", timeout: ControlClient.removal)
            if !options.quiet { Output.line("service \(name) is removed") }
        }
    }
}

/// - Throws: what the parser makes an exit with code 2.
private func check(queue: String) throws {
    if QueuePolicy(rawValue: queue) == nil {
        let names = QueuePolicy.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("--queue is one of \(names), not '\(queue)'")
    }
}

private func check(provider: String?) throws {
    if let provider, Provider(rawValue: provider) == nil {
        throw ValidationError("--provider is one of \(Provider.list), not '\(provider)'")
    }
}

extension Output {
    /// A service that was registered, and what has to be done for it to be deployed.
    static func added(_ added: [String: Any]) {
        let (name, branch) = (added["name"] as? String ?? "", added["branch"] as? String ?? "")
        line("-----> Service \(name) deploys \((try? RefPattern(branch))?.words ?? branch)")
        if let remote = added["remote"] as? String {
            line("       \(remote)")
            line("       git push kinto \(branch)")
        } else if let webhook = added["webhook"] as? [String: Any] {
            self.webhook(webhook)
            self.remote(added, name)
        }
    }

    /// Which branches get previews now.
    static func previews(_ services: Any, _ name: String) {
        guard let service = (services as? [[String: Any]])?.first,
            let rule = service["previews"] as? [String: Any]
        else { return line("\(name): branches and pull requests get no previews any more") }
        let pattern = rule["pattern"] as? String ?? ""
        let lifetime = TimeSpan(milliseconds: rule["lifetime"] as? Int ?? 0)
        let isOfPulls = pattern == PreviewRule.pullRequests
        line(
            "\(name): \(isOfPulls ? "pull requests" : (try? RefPattern(pattern))?.words ?? pattern) get a preview each, at most \(rule["most"] as? Int ?? 0), until \(isOfPulls ? "they are closed" : "the branch is deleted") or \(lifetime.inDays) after the last push"
        )
        line(
            "       with \((rule["config"] as? String).map { "the variables and secrets of \($0)" } ?? "production's variables, but no secrets")"
        )
        if rule["forks"] as? Bool == true {
            line(
                "       also from forks: without secrets, but strangers' code runs with this server's rights")
        }
    }

    /// How a remote repository was found, and the key to enter at the forge.
    static func remote(_ answer: [String: Any], _ name: String) {
        let check = answer["check"] as? [String: Any] ?? [:]
        if let key = answer["deployKey"] as? String {
            line("       Deploy key, to be entered at the forge (reading is enough):")
            line("       \(key)")
        }
        if let pinned = check["pinned"] as? String {
            line("       The host's key is trusted from now on: \(pinned)")
            line("       Compare it with what the host publishes.")
        }
        if let commit = check["commit"] as? String {
            line("       The branch is at \(commit.prefix(7))")
        } else if let problem = check["problem"] as? String {
            trouble("the repository cannot be read yet: \(problem)")
            for hint in check["hints"] as? [[String: Any]] ?? [] {
                let command = (hint["command"] as? String).map { ": \($0)" } ?? ""
                error("       \(hint["text"] as? String ?? "")\(command)\n")
            }
            error("       try again with: kinto service check \(name)\n")
        }
    }

    /// What has to be entered at the forge.
    static func webhook(_ webhook: [String: Any]) {
        line("       Webhook URL:    \(webhook["url"] as? String ?? "")")
        line("       Webhook secret: \(webhook["secret"] as? String ?? "")")
        line("       Sent by:        \(webhook["provider"] as? String ?? "")")
    }
}
