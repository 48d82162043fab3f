// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore
internal import Wire

extension ServiceCommand {
    struct RotateSecret: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change the secret that signs a service's webhooks.",
            discussion: """
                Both secrets sign until the overlap is over: enter the new one at the forge meanwhile.

                EXAMPLES:
                  kinto service rotate-secret hello
                  kinto service rotate-secret hello --overlap 1h --secret-from token.txt
                  kinto service rotate-secret hello --overlap 0s        the present one is known to others
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(completion: .services) var name: String
        @Option(help: "How long the present secret signs beside the new one.") var overlap = "24h"
        @Option(help: "A file with the secret, or - for standard input. Without: a random one.")
        var secretFrom: String?

        func validate() throws {
            if TimeSpan(overlap, upTo: 365 * 86_400_000) == nil {
                throw ValidationError("--overlap wants a time like 30m or 24h, not '\(overlap)'")
            }
        }

        func run() async throws {
            var body: [String: Any] = [:]
            body["overlap"] = TimeSpan(overlap, upTo: 365 * 86_400_000)?.milliseconds
            body["secret"] = try secretFrom.map(Input.text)
            let rotated =
                try await options.client.call("POST", "/services/\(name)/rotate-secret", body)
                as? [String: Any] ?? [:]
            if options.json { return Output.json(rotated) }
            Output.line("-----> \(name) has a new webhook secret")
            Output.webhook(rotated)
            Output.line("       The one before signs until \(rotated["previousUntil"] as? String ?? "")")
        }
    }
}

/// What an operator gives in a file, so that it stands in no argument.
enum Input {
    /// - Parameter path: `-`: standard input.
    static func text(_ path: String) throws -> String {
        let data =
            path == "-"
            ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: path)
        guard let data else { throw ValidationError("\(path) cannot be read") }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
