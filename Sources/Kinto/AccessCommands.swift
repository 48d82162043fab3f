// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

/// `--role`, as the server has it.
enum RoleArgument: String, ExpressibleByArgument, CaseIterable {
    case viewer, deployer, admin
}

/// A part of a path.
private func escaped(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
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
            _ = try await options.client.call("DELETE", "/tokens/\(escaped(name))")
            if !options.quiet { Output.line("token \(Output.safe(name)) is removed") }
        }
    }
}

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "People who sign in at the dashboard with name and password.",
        subcommands: [Add.self, Set.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a user; asks for the password, or reads it from standard input.",
            discussion: """
                viewer reads everything but secrets; deployer also changes what runs; admin may do all. docs/access.md.

                EXAMPLES:
                  kinto user add ada --role deployer
                  kinto user add ada --role viewer <password.txt
                """)
        @OptionGroup var options: GlobalOptions
        @Argument var name: String
        @Option(help: "viewer, deployer or admin.") var role: RoleArgument

        func run() async throws {
            let password = try Password.read(for: name)
            let user = try await options.client.call(
                "POST", "/users", ["name": name, "role": role.rawValue, "password": password])
            if options.json { return Output.json(user) }
            if !options.quiet { Output.line("\(Output.safe(name)) is \(role.rawValue)") }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a user's role or password; sessions of before end.",
            discussion:
                "EXAMPLES:\n  kinto user set ada --role viewer\n  kinto user set ada --password")
        @OptionGroup var options: GlobalOptions
        @Argument var name: String
        @Option(help: "viewer, deployer or admin.") var role: RoleArgument?
        @Flag(help: "Ask for a new password, or read it from standard input.") var password = false

        func validate() throws {
            if role == nil, !password { throw ValidationError("name what changes: --role, --password") }
        }

        func run() async throws {
            var body: [String: Any] = [:]
            body["role"] = role?.rawValue
            if password { body["password"] = try Password.read(for: name) }
            let user = try await options.client.call("PATCH", "/users/\(escaped(name))", body)
            if options.json { return Output.json(user) }
            if !options.quiet { Output.line("\(Output.safe(name)) is changed, and signed out everywhere") }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List them, with their last sign-in.")
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let list = try await options.client.call("GET", "/users")
            if options.json { return Output.json(list) }
            Output.table(
                [["NAME", "ROLE", "CREATED", "LAST SIGN-IN"]]
                    + (list as? [[String: Any]] ?? []).map { user in
                        [
                            user["name"] as? String ?? "", user["role"] as? String ?? "",
                            AuditCommand.time(user["createdAt"]), AuditCommand.time(user["lastSignInAt"]),
                        ].map(Output.safe)
                    })
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a user, with sessions and streams.")
        @OptionGroup var options: GlobalOptions
        @Argument var name: String

        func run() async throws {
            _ = try await options.client.call("DELETE", "/users/\(escaped(name))")
            if !options.quiet { Output.line("\(Output.safe(name)) is removed") }
        }
    }
}

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who did what, newest first.",
        discussion: """
            EXAMPLES:
              kinto audit
              kinto audit --service hello --who ada
              kinto audit -n 1000 --json
            """)
    @OptionGroup var options: GlobalOptions
    @Option(help: "About this service.") var service: String?
    @Option(help: "By this user, token or local account.") var who: String?
    @Option(name: .short, help: "How many; 10000 at most.") var n = 50

    func run() async throws {
        var path = "/audit?limit=\(min(max(1, n), 10_000))"
        if let service { path += "&service=\(escaped(service))" }
        if let who { path += "&who=\(escaped(who))" }
        let list = try await options.client.call("GET", path)
        if options.json { return Output.json(list) }
        Output.table(
            [["WHEN", "WHO", "ROLE", "DOOR", "ACTION", "TARGET", "RESULT", "WHAT"]]
                + (list as? [[String: Any]] ?? []).map { entry in
                    [
                        AuditCommand.time(entry["at"]), entry["who"] as? String ?? "",
                        entry["role"] as? String ?? "-", entry["door"] as? String ?? "",
                        entry["action"] as? String ?? "", entry["target"] as? String ?? "",
                        entry["result"] as? String ?? "", entry["what"] as? String ?? "",
                    ].map(Output.safe)
                })
    }

    /// To the second.
    static func time(_ value: Any?) -> String { (value as? String).map { String($0.prefix(19)) } ?? "-" }
}
