// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "All services at one glance, as they change.",
        discussion: """
            On a terminal it takes the whole screen until q; else it prints what it sees once.

            KEYS:
              ↑ ↓, j k      select a service; also page up and down, g, G
              Enter, l      the log of its newest release; q comes back
              s             sort by name, requests, errors, latency, memory
              /             only those with a word; Esc shows all again
              q, Ctrl-C     quit

            EXAMPLES:
              kinto top
              kinto top -e staging --every 5s
              kinto top --once
              kinto top --json
            """)
    @OptionGroup var options: GlobalOptions
    @Flag(help: "Print what is so now, and end.") var once = false
    @Option(help: "How often requests and memory are looked at anew; 1s at least. Changes are seen at once.")
    var every = "2s"

    func validate() throws {
        guard let time = TimeSpan(every), time.milliseconds >= 1000 else {
            throw ValidationError("--every wants a time of at least a second, like 2s, not '\(every)'")
        }
    }

    func run() async throws {
        let (client, environment) = (options.client, options.chosenEnvironment)
        if options.json { return try await json(client, environment) }
        if !once, FullScreen.isPossible {
            let time = TimeSpan(every)?.duration ?? .seconds(2)
            return try await TopSession(client: client, environment: environment, every: time).run()
        }
        let overview: Overview
        do { overview = try await TopSession.look(client, environment) } catch let refusal
            as ControlClient.Refusal
        { throw refusal.told() }
        for line in TopPicture(model: TopModel(server: client.place, overview: overview)).lines {
            let text = line.text
            Output.line(
                String(text[..<(text.lastIndex { $0 != " " }.map(text.index(after:)) ?? text.startIndex)]))
        }
    }

    private func json(_ client: ControlClient, _ environment: String?) async throws {
        var answer = try await client.call("GET", "/overview") as? [String: Any] ?? [:]
        for name in ["services", "releases"] {
            answer[name] = (answer[name] as? [[String: Any]] ?? []).filter {
                environment == nil || $0["environment"] as? String == environment
            }
        }
        Output.json(answer)
    }
}
