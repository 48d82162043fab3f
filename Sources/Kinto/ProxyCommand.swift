// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import KintoCore

struct ProxyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy", abstract: "The proxy that serves visitors.", subcommands: [Restart.self])

    struct Restart: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replace the proxy by a new process; visitors notice nothing.",
            discussion: """
                The new one takes the listening sockets over; the old one answers what it has, closes kept-alive
                connections after their next answer, and ends. `kinto serve` does so by itself when it finds a proxy of
                another version or with other settings.

                EXAMPLES:
                  kinto proxy restart
                  kinto proxy restart --drain 30s
                """)
        @OptionGroup var options: GlobalOptions
        @Option(help: "How long the old one may go on with requests and WebSockets that it has.")
        var drain = ProxyCommand.standardDrain

        func validate() throws {
            if TimeSpan(drain) == nil {
                throw ValidationError("--drain wants a time like 30s or 10m, not '\(drain)'")
            }
        }

        func run() async throws {
            let time = TimeSpan(drain)?.milliseconds
            let answer = try await options.client.call(
                "POST", "/proxy/restart", time.map { ["drain": $0] } ?? [:])
            if options.json { return Output.json(answer) }
            let facts = answer as? [String: Any] ?? [:]
            if !options.quiet {
                Output.line(
                    "the proxy is process \(facts["pid"] as? Int ?? 0) now, on \(facts["listen"] as? String ?? "")"
                )
            }
        }
    }

    static let standardDrain = "10m"
}
