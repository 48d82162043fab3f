// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Tell forges and people what becomes of releases.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Report to one more place, from the next release on.",
            discussion: """
                status    the commit's status at the forge of the service, with a token of its API
                webhook   a request signed by Standard Webhooks, on the first failure and on recovery
                slack     the same as a text for Slack, Mattermost and others

                EXAMPLES:
                  kinto report add status hello --secret-from token.txt
                  kinto report add webhook --url https://example.com/kinto --secret-from secret.txt
                  kinto report add slack hello --url https://hooks.slack.com/services/T0/B0/x
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "status, webhook or slack.") var kind: String
        @Argument(help: "The service; without: all of them.") var service: String?
        @Option(help: "Where to; of a status the address of the forge's API, if it is not the usual one.")
        var url: String?
        @Option(help: "A file with the token, or what signs; or - for standard input.") var secretFrom:
            String?

        func validate() throws {
            if ReportTarget.Kind(rawValue: kind) == nil {
                throw ValidationError("that is: kinto report add status|webhook|slack, not '\(kind)'")
            }
        }

        func run() async throws {
            var body: [String: Any] = ["kind": kind]
            body["service"] = service
            body["url"] = url
            body["secret"] = try secretFrom.map(Input.text)
            let added = try await options.client.call("POST", "/reports", body)
            if options.json { return Output.json(added) }
            let id = (added as? [String: Any])?["id"] as? Int ?? 0
            if !options.quiet { Output.line("report \(id): \(kind) of \(service ?? "all services")") }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List them, with what went wrong.")
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let list = try await options.client.call("GET", "/reports")
            if options.json { return Output.json(list) }
            Output.table(
                [["ID", "KIND", "SERVICE", "URL", "WAITING", "PROBLEM"]]
                    + (list as? [[String: Any]] ?? []).map { one in
                        [
                            "\(one["id"] ?? "")", "\(one["kind"] ?? "")", one["service"] as? String ?? "all",
                            one["url"] as? String ?? "", "\(one["waiting"] ?? "")",
                            one["problem"] as? String ?? "",
                        ].map(Output.safe)
                    })
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Report there no more.")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "As kinto report list shows it.") var id: Int

        func run() async throws {
            _ = try await options.client.call("DELETE", "/reports/\(id)")
            if !options.quiet { Output.line("report \(id) is removed") }
        }
    }
}
