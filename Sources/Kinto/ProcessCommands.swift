// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct Scale: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run another number of instances of what is live, and of what comes.",
        discussion: """
            Added instances get requests once they are healthy; taken ones finish what they have. The numbers hold until
            they are changed. TYPE=default, and 0 for web, goes back to that of kinto.json; worker=0 runs none.

            EXAMPLES:
              kinto scale hello 3
              kinto scale hello worker=2 web=3
              kinto scale hello worker=default
            """)
    @OptionGroup var options: GlobalOptions
    @Argument var name: String
    @Argument(help: "How many: 1 to 100 of web, or TYPE=NUMBER for each type.") var numbers: [String] = []

    func validate() throws { _ = try body() }

    private func body() throws -> [String: Any] {
        guard !numbers.isEmpty else { throw ValidationError("say how many: 3, or worker=2") }
        var processes: [String: Int] = [:]
        var reset: [String] = []
        for text in numbers {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
                String.init)
            let (type, number) = parts.count == 2 ? (parts[0], parts[1]) : ("web", parts[0])
            guard ProcessGroup.isName(type) else {
                throw ValidationError("'\(type)' is no process type; write worker=2")
            }
            guard processes[type] == nil, !reset.contains(type) else {
                throw ValidationError("\(type) is there twice")
            }
            if number == "default" || parts.count == 1 && number == "0" {
                reset.append(type)
            } else if let number = Int(number), (0...100).contains(number) {
                processes[type] = number
            } else {
                throw ValidationError("the number must be from 0 to 100, or 'default', not '\(number)'")
            }
        }
        return ["environment": options.env, "processes": processes, "reset": reset]
    }

    func run() async throws {
        let answer = try await options.client.call("POST", "/services/\(name)/scale", try body())
        if options.json { return Output.json(answer) }
        let processes = (answer as? [String: Any])?["processes"] as? [String: Int] ?? [:]
        if !options.quiet {
            let words = processes.sorted { $0.key < $1.key }.map { "\($0.value) of \($0.key)" }
            Output.line("\(options.words(name)) runs \(words.joined(separator: ", "))")
        }
    }
}

struct PS: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "The processes of what is live.",
        discussion: "EXAMPLES:\n  kinto ps hello")
    @OptionGroup var options: GlobalOptions
    @Argument var name: String

    func run() async throws {
        let answer = try await options.client.call("GET", "/services/\(name)?env=\(options.env)")
        let services = answer as? [[String: Any]] ?? []
        let service = services.first { $0["environment"] as? String == options.env }
        guard let service else {
            Output.trouble("there is no service '\(name)' with an environment '\(options.env)'")
            throw ExitCode(3)
        }
        let live = service["live"] as? [String: Any]
        let instances = live?["instances"] as? [[String: Any]] ?? []
        let runs = service["runs"] as? [[String: Any]] ?? []
        if options.json { return Output.json(["instances": instances, "runs": runs]) }
        guard !instances.isEmpty || !runs.isEmpty else {
            return Output.line(
                live == nil
                    ? "\(name) has no release that is live"
                    : service["suspended"] as? Bool == true
                        ? "\(name) is suspended"
                        : service["site"] as? Bool == true
                            ? "\(name) is a site: the proxy answers with the files of release \(live?["number"] as? Int ?? 0), and nothing has to run"
                            : "nothing of \(name) runs")
        }
        Output.table(
            [["INSTANCE", "PID", "PORT", "SINCE", "RESTARTS", "COMMAND"]]
                + instances.map { instance in
                    [
                        instance["name"] as? String ?? "", (instance["pid"] as? Int).map { "\($0)" } ?? "-",
                        (instance["port"] as? Int).map { "\($0)" } ?? "-",
                        String((instance["startedAt"] as? String ?? "").prefix(19)),
                        "\(instance["restarts"] as? Int ?? 0)",
                        Output.safe(instance["command"] as? String ?? ""),
                    ]
                }
                + runs.map { run in
                    [
                        run["name"] as? String ?? "", "-", "-",
                        String((run["startedAt"] as? String ?? "").prefix(19)), "-",
                        Output.safe(run["command"] as? String ?? ""),
                    ]
                })
    }
}
