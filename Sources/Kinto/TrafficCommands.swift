// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore
internal import Wire

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let requests wait, for up to 30 s each, until `kinto resume`.",
        discussion: """
            The instances run on and what is on its way is answered. Requests that come meanwhile wait; one that has waited
            for 30 s is answered 503 with Retry-After.

            EXAMPLES:
              kinto pause hello && ./switch-the-database && kinto resume hello
            """)
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String

    func run() async throws {
        _ = try await options.client.call("POST", "/services/\(name)/pause", ["environment": options.env])
        if !options.quiet {
            Output.line("requests to \(name) wait; let them in with: kinto resume \(options.words(name))")
        }
    }
}

struct MaintenanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maintenance", abstract: "Close a service to visitors with a page, and open it again.",
        discussion: """
            Visitors get 503 with Retry-After; the service runs on, and the addresses that are let in are served.

            EXAMPLES:
              kinto maintenance hello on
              kinto maintenance hello on --page closed.html --allow 192.0.2.7 --allow 10.0.0.0/8 --retry-after 10m
              kinto maintenance hello off
            """)

    enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument(help: "on or off") var state: Switch
    @Option(help: "An HTML file of at most 256 KiB that visitors get.") var page: String?
    @Option(help: "An address or block (192.0.2.0/24, 2001:db8::/32) that is let in; may be repeated.")
    var allow: [String] = []
    @Option(help: "When visitors may try again.") var retryAfter = "60s"

    func validate() throws {
        for text in allow where AddressRange(text) == nil {
            throw ValidationError("'\(text)' is no address and no block of addresses")
        }
        if TimeSpan(retryAfter) == nil {
            throw ValidationError("--retry-after wants a time like 60s or 10m, not '\(retryAfter)'")
        }
    }

    func run() async throws {
        var body: [String: Any] = ["environment": options.env, "on": state == .on, "allow": allow]
        body["retryAfter"] = (TimeSpan(retryAfter)?.milliseconds ?? 60_000) / 1000
        if let page {
            guard let data = FileManager.default.contents(atPath: page) else {
                throw ValidationError("\(page) cannot be read")
            }
            body["page"] = String(decoding: data, as: UTF8.self)
        }
        _ = try await options.client.call("POST", "/services/\(name)/maintenance", body)
        if !options.quiet {
            Output.line(
                state == .on
                    ? "\(name) is closed to visitors; open it with: kinto maintenance \(options.words(name)) off"
                    : "\(name) is open")
        }
    }
}
