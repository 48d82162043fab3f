// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation

struct Open: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the address of a service, and open it in a browser where there is a display.",
        discussion: "EXAMPLES:\n  kinto open hello\n  kinto open hello -e staging --print")
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Flag(help: "Only print it.") var print = false

    func run() async throws {
        let environment =
            try await options.client.call("GET", "/services/\(name)/environments/\(options.env)")
            as? [String: Any] ?? [:]
        let url = environment["url"] as? String ?? ""
        if options.json {
            Output.json(["url": url, "live": environment["live"] ?? NSNull()])
        } else {
            Output.line(Output.safe(url))
            if environment["live"] as? Int == nil, !options.quiet {
                Output.trouble("nothing of \(name) is live there yet")
            }
        }
        guard !print, !options.json, url.hasPrefix("http://") || url.hasPrefix("https://") else { return }
        let variables = ProcessInfo.processInfo.environment
        guard ["DISPLAY", "WAYLAND_DISPLAY"].contains(where: { variables[$0]?.isEmpty == false }),
            let opener = Open.find("xdg-open", in: variables["PATH"] ?? "")
        else { return }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: opener)
        process.arguments = [url]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { Output.trouble("\(opener) cannot be started: \(error)") }
    }

    private static func find(_ program: String, in path: String) -> String? {
        path.split(separator: ":").map { (directory: Substring) -> String in "\(directory)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
