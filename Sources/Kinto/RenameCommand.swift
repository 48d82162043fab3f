// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser

extension ServiceCommand {
    struct Rename: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a service another name, while it serves.",
            discussion: """
                Releases, logs, variables, caches and the repository follow, and its address becomes NEW.localhost; what runs
                is not touched. Pushes to the old repository are refused with what to do; deliveries to the old hook URL
                are still taken. Refused while a deploy runs or a release is watched.

                EXAMPLES:
                  kinto service rename hello shop
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String
        @Argument(help: "The new name.") var to: String

        func run() async throws {
            let answer =
                try await options.client.call("POST", "/services/\(name)/rename", ["to": to])
                as? [String: Any]
                ?? [:]
            if options.json { return Output.json(answer) }
            guard !options.quiet else { return }
            Output.line("-----> \(name) is called \(to) now")
            if let remote = answer["remote"] as? String { Output.line("       \(Output.safe(remote))") }
            Output.line("       Webhook URL: \(Output.safe(answer["webhook"] as? String ?? ""))")
            for url in answer["urls"] as? [String] ?? [] { Output.line("       \(Output.safe(url))") }
            Output.line("       KINTO_SERVICE of what runs stays \(name) until the next release")
        }
    }
}
