// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import KintoCore

struct Diff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What differs between what is live and its branch, two environments, or two releases.",
        discussion: """
            Commits, keys of kinto.json and names of variables; never a value. + is only in the second, - only in the
            first, ~ is another value. Nothing is changed; a remote repository is asked.

            EXAMPLES:
              kinto diff hello                         what a deploy of the branch would bring
              kinto diff hello -e staging
              kinto diff hello staging production      what is live in one and in the other
              kinto diff hello --release 3 5
              kinto diff hello --release 3             release 3 and what is live
            """)
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument(help: "Two environments.") var environments: [String] = []
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("One release, or two, of the environment.", valueName: "n"))
    var release: [Int] = []

    func validate() throws {
        guard environments.isEmpty || environments.count == 2 else {
            throw ValidationError("name two environments, or none: kinto diff \(name) staging production")
        }
        guard release.count <= 2 else { throw ValidationError("--release wants one number, or two") }
        guard environments.isEmpty || (release.isEmpty && options.chosenEnvironment == nil) else {
            throw ValidationError("two environments are compared as they are: without --release and -e")
        }
        if let wrong = release.first(where: { $0 < 1 }) {
            throw ValidationError("there is no release \(wrong): the first one is 1")
        }
    }

    func run() async throws {
        var query = "env=\(environments.first ?? options.env)"
        if environments.count == 2 { query += "&to=\(environments[1])" }
        if let first = release.first { query += "&release=\(first)" }
        if release.count == 2 { query += "&against=\(release[1])" }
        let answer =
            try await options.client.call("GET", "/services/\(name)/diff?\(query)") as? [String: Any] ?? [:]
        options.json ? Output.json(answer) : show(answer)
    }

    private func show(_ answer: [String: Any]) {
        let (from, to) = (side(answer["from"]), side(answer["to"]))
        Output.line("-----> \(name): \(from) and \(to)")
        let ahead = commits(answer, "commit", "only in \(to)", sign: "+")
        let behind = commits(answer, "missing", "only in \(from)", sign: "-")
        let settings = answer["settings"] as? [String] ?? []
        let configuration = answer["configuration"] as? [String] ?? []
        list(settings, "keys of kinto.json")
        list(configuration, "variables")
        if let problem = answer["problem"] as? String { Output.trouble(Output.safe(problem)) }
        if !ahead, !behind, settings.isEmpty, configuration.isEmpty, answer["problem"] as? String == nil {
            Output.line("       no difference")
        }
    }

    private func side(_ value: Any?) -> String {
        let side = value as? [String: Any] ?? [:]
        let commit = (side["commit"] as? String).map { " (\($0.prefix(7)))" } ?? ""
        return Output.safe(side["name"] as? String ?? "") + commit
    }

    /// - Returns: whether there are any.
    private func commits(_ answer: [String: Any], _ key: String, _ title: String, sign: String) -> Bool {
        let list = answer[key == "commit" ? "commits" : key] as? [[String: Any]] ?? []
        let count = answer["\(key)Count"] as? Int ?? 0
        guard count > 0 else { return false }
        Output.line("       \(count == 1 ? "1 commit" : "\(count) commits") \(title):")
        for commit in list {
            let id = (commit["commit"] as? String ?? "").prefix(7)
            Output.line("       \(sign) \(id) \(Output.safe(commit["subject"] as? String ?? ""))")
        }
        if count > list.count { Output.line("         and \(count - list.count) before these") }
        return true
    }

    private func list(_ marks: [String], _ title: String) {
        guard !marks.isEmpty else { return }
        Output.line("       \(title):")
        for mark in marks { Output.line("       \(Output.safe(mark))") }
    }
}
