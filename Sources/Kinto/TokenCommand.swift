// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

/// `--role`, as the server has it.
enum RoleArgument: String, ExpressibleByArgument, CaseIterable {
    case viewer, deployer, admin
}

struct Token: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "API tokens: for programs, and for the dashboard.",
        subcommands: [Add.self, List.self, Remove.self, Create.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token; it is shown once.",
            discussion: """
                viewer reads everything but secrets; deployer also changes what runs; admin may do all. docs/access.md.

                EXAMPLES:
                  kinto token add ci --role deployer
                  kinto token add prometheus --role viewer
                """)
        @OptionGroup var options: GlobalOptions
        @Argument var name: String
        @Option(help: "viewer, deployer or admin.") var role: RoleArgument

        func run() async throws { try await Token.make(options, name, role) }
    }

    /// What there was before roles: one that may do everything, with any name.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The same, with the role admin and without a name if none is given.",
            shouldDisplay: false)
        @OptionGroup var options: GlobalOptions
        @Argument var name: String?
        @Option(help: "viewer, deployer or admin.") var role = RoleArgument.admin

        func run() async throws { try await Token.make(options, name, role) }
    }

    private static func make(_ options: GlobalOptions, _ name: String?, _ role: RoleArgument) async throws {
        var body: [String: Any] = ["role": role.rawValue]
        body["name"] = name
        let answer = try await options.client.call("POST", "/tokens", body) as? [String: Any] ?? [:]
        options.json ? Output.json(answer) : Output.line(answer["token"] as? String ?? "")
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List them, with their last use.")
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let list = try await options.client.call("GET", "/tokens")
            if options.json { return Output.json(list) }
            Output.table(
                [["NAME", "ROLE", "CREATED", "LAST USED"]]
                    + (list as? [[String: Any]] ?? []).map { token in
                        [
                            token["name"] as? String ?? "", token["role"] as? String ?? "",
                            AuditCommand.time(token["createdAt"]), AuditCommand.time(token["lastUsedAt"]),
                        ].map(Output.safe)
                    })
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a token, with its sessions and streams.")
        @OptionGroup var options: GlobalOptions
        @Argument var name: String

        func run() async throws {
            _ = try await options.client.call("DELETE", "/tokens/\(name.inPath)")
            if !options.quiet { Output.line("token \(Output.safe(name)) is removed") }
        }
    }
}
