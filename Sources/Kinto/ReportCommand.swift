// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Tell forges and people what becomes of releases and scheduled runs.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Report to one more place, from the next release on.",
            discussion: """
                status    the commit's status at the forge of the service, with a token of its API
                webhook   a request signed by Standard Webhooks, on the first failure and on recovery, of releases and of runs
                          by a schedule
                slack     the same as a text for Slack, Mattermost and others
                mail      the same as a mail, by a server that takes it on: smtps://, or smtp:// with STARTTLS;
                          without TLS on loopback, or with --plaintext

                EXAMPLES:
                  kinto report add status hello --secret-from token.txt
                  kinto report add webhook --url https://example.com/kinto --secret-from secret.txt
                  kinto report add slack hello --url https://hooks.slack.com/services/T0/B0/x
                  kinto report add mail --url smtps://mail.example.com --from kinto@example.com \\
                    --to ops@example.com --to dev@example.com --user kinto --secret-from password.txt
                  kinto report add mail hello --url smtp://localhost --from kinto@example.com --to me@example.com
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "status, webhook, slack or mail.") var kind: String
        @Argument(help: "The service; without: all of them.") var service: String?
        @Option(
            help:
                "Where to; of a status the forge's API, if it is not the usual one; of a mail the server that takes it on."
        )
        var url: String?
        @Option(help: "A file with the token, what signs, or the password; or - for standard input.")
        var secretFrom: String?
        @Option(help: "Of a mail: the sender's address.") var from: String?
        @Option(help: "Of a mail: the address of who gets it; several times for several.") var to: [String] =
            []
        @Option(help: "Of a mail: whom the server asks a password of.") var user: String?
        @Option(help: "Of a mail: a PEM file of the only authorities that may sign the server's certificate.")
        var caFrom: String?
        @Flag(help: "Of a mail: all of it, also the password, goes to smtp:// without TLS.") var plaintext =
            false

        func validate() throws {
            if ReportTarget.Kind(rawValue: kind) == nil {
                throw ValidationError("that is: kinto report add status|webhook|slack|mail, not '\(kind)'")
            }
            let isMail = kind == ReportTarget.Kind.mail.rawValue
            if isMail, url == nil || from == nil || to.isEmpty {
                throw ValidationError("a mail needs --url, --from and --to")
            }
            if !isMail, from != nil || !to.isEmpty || user != nil || caFrom != nil || plaintext {
                throw ValidationError("--from, --to, --user, --ca-from and --plaintext are of a mail")
            }
        }

        func run() async throws {
            var body: [String: Any] = ["kind": kind]
            body["service"] = service
            body["url"] = url
            body["secret"] = try secretFrom.map(Input.text)
            if kind == ReportTarget.Kind.mail.rawValue {
                var mail: [String: Any] = ["from": from ?? "", "to": to, "plaintext": plaintext]
                mail["user"] = user
                mail["authorities"] = try caFrom.map(Input.text)
                body["mail"] = mail
            }
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
                            ReportCommand.place(one), "\(one["waiting"] ?? "")",
                            one["problem"] as? String ?? "",
                        ].map(Output.safe)
                    })
        }
    }

    /// Of a mail, who gets it, too.
    private static func place(_ report: [String: Any]) -> String {
        let url = report["url"] as? String ?? ""
        guard let mail = report["mail"] as? [String: Any], let to = mail["to"] as? [String] else {
            return url
        }
        return "\(url) to \(to.joined(separator: ", "))"
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
