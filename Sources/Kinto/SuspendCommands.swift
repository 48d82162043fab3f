// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser

struct Suspend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Stop a service without losing anything.")
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String

    func run() async throws {
        _ = try await options.client.call("POST", "/services/\(name)/suspend", ["environment": options.env])
        if !options.quiet {
            Output.line("\(name) is suspended; start it again with: kinto resume \(options.words(name))")
        }
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a suspended service again, without a build; let a paused one's requests in.")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var waiting: WaitOptions
    @Argument(completion: .services) var name: String

    func run() async throws {
        let release =
            try await options.client.call("POST", "/services/\(name)/resume", ["environment": options.env])
            as? [String: Any] ?? [:]
        guard release["number"] != nil else {
            if !options.quiet { Output.line("\(name) takes requests again") }
            return
        }
        try await Following(options: options, service: name).follow(release, for: waiting.limit)
    }
}
