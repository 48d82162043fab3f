// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

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
            let user = try await options.client.call("PATCH", "/users/\(name.inPath)", body)
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
            _ = try await options.client.call("DELETE", "/users/\(name.inPath)")
            if !options.quiet { Output.line("\(Output.safe(name)) is removed") }
        }
    }
}
