// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation

struct Deliveries: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Webhook deliveries and what became of them.",
        discussion: """
            Also those that were refused, with the cause that the sender is not told. A replay decides once more on
            what a delivery said, by today's settings.

            EXAMPLES:
              kinto deliveries
              kinto deliveries hello
              kinto deliveries hello replay 72d3162e-cc78-11e3-81ab-4c9367dc0958
            """)
    @OptionGroup var options: GlobalOptions
    @Argument(help: "A service; and replay with the id of one of its deliveries.") var words: [String] = []
    @Option(name: .short, help: "How many; 10000 at most.") var number = 30

    private var replayed: String? { words.count == 3 ? words[2] : nil }

    func validate() throws {
        if words.count > 1, words.count != 3 || words[1] != "replay" {
            throw ValidationError("that is: kinto deliveries [NAME] or kinto deliveries NAME replay ID")
        }
    }

    func run() async throws {
        if let replayed { return try await replay(words[0], replayed) }
        let limit = min(number, 10_000)
        let query = words.first.map { "?service=\($0)&limit=\(limit)" } ?? "?limit=\(limit)"
        let list = try await options.client.call("GET", "/deliveries\(query)")
        if options.json { return Output.json(list) }
        Output.table(
            [["AT", "SERVICE", "BY", "EVENT", "REF", "STATUS", "MS", "ID", "VERDICT"]]
                + (list as? [[String: Any]] ?? []).map { d in
                    [
                        "at", "service", "provider", "event", "ref", "status", "duration", "delivery",
                        "verdict",
                    ].map {
                        Output.safe("\(d[$0] ?? "")")
                    }
                })
    }

    private func replay(_ service: String, _ identifier: String) async throws {
        let answer =
            try await options.client.call(
                "POST", "/services/\(service)/deliveries/replay", ["delivery": identifier])
            as? [String: Any] ?? [:]
        if options.json { return Output.json(answer) }
        guard !options.quiet else { return }
        // Each environment's.
        let all = [answer] + (answer["also"] as? [[String: Any]] ?? [])
        for one in all { show(one, isOne: all.count == 1) }
    }

    private func show(_ answer: [String: Any], isOne: Bool) {
        let service = answer["service"] as? String ?? ""
        let environment = answer["environment"] as? String ?? "production"
        if let release = answer["release"] as? Int, answer["ignored"] == nil {
            let words = GlobalOptions.words(service, environment)
            Output.line(
                "-----> Release \(release) of \(service)/\(environment) is queued; follow it with: kinto logs \(words) --release \(release)"
            )
        } else {
            let place = isOne ? "" : " in \(service)/\(environment)"
            Output.line("Nothing to deploy\(place): \(Output.safe(answer["ignored"] as? String ?? ""))")
        }
    }
}
