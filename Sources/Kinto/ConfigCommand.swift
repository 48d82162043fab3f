// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import KintoCore

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Server-side variables and secrets: kinto config NAME list | set K=V… | unset K… | import FILE | export | diff ENV",
        discussion: """
            Secrets are listed masked. A value after the name stands in the arguments of the command and in the
            history of the shell: name the secret alone, and it is read from standard input, or name a file.

            EXAMPLES:
              kinto config hello set LOG_LEVEL=debug
              kinto config hello set --secret DATABASE_URL        asks for the value, or reads a pipe
              kinto config hello set --secret TLS_KEY=@key.pem    reads the file
              kinto config hello unset LOG_LEVEL
              kinto config hello import .env                      a file of NAME=value lines, or - for a pipe
              kinto config hello import .env.secret --secret
              kinto config hello export > .env                    secrets only with --reveal
              kinto config hello diff staging                     names that differ from another environment's
            """)
    @OptionGroup var options: GlobalOptions
    @OptionGroup var waiting: WaitOptions
    @Argument(completion: .services) var name: String
    @Argument(
        help: "list, set, unset, import, export or diff.",
        completion: .list(["list", "set", "unset", "import", "export", "diff"]))
    var action = "list"
    @Argument(help: "Variables; of import a file, of diff an environment.") var variables: [String] = []
    @Flag(
        help: "set, import: the values are secrets. K alone is read from standard input, K=@FILE from a file."
    )
    var secret = false
    @Flag(help: "list, export: show the values of secrets, on the server itself.") var reveal = false

    func validate() throws {
        switch action {
        case "list", "export":
            if let first = variables.first {
                throw ValidationError("\(action) takes all variables, not '\(first)' alone")
            }
        case "set", "unset": if variables.isEmpty { throw ValidationError("name at least one variable") }
        case "import":
            if variables.count != 1 { throw ValidationError("name a file, or - for standard input") }
        case "diff": if variables.count != 1 { throw ValidationError("name the environment to compare with") }
        default: throw ValidationError("'\(action)' is not list, set, unset, import, export or diff")
        }
        guard action == "set" else { return }
        // Of a hint that was pasted.
        if let hole = variables.first(where: { $0.hasSuffix("=…") }) {
            throw ValidationError("'…' stands for the value: \(hole)")
        }
        let bare = variables.filter { !$0.contains("=") }
        if let first = bare.first, !secret { throw ValidationError("'\(first)' is not K=V") }
        if bare.count > 1 { throw ValidationError("only one value can be read from standard input") }
    }

    func run() async throws {
        var body: [String: Any] = ["environment": options.env]
        switch action {
        case "list": return try await list()
        case "export": return try await export()
        case "diff": return try await diff()
        case "set":
            body["set"] = try values()
            body["secret"] = secret
        case "import":
            body["set"] = try imported(variables[0])
            body["secret"] = secret
        default: body["unset"] = variables
        }
        let answer =
            try await options.client.call("PATCH", "/services/\(name)/config", body) as? [String: Any] ?? [:]
        if let release = answer["release"] as? [String: Any] {
            try await Following(options: options, service: name).follow(release, for: waiting.limit)
        } else if !options.quiet {
            Output.line("set; nothing is live yet, so nothing was started")
        }
    }

    func stored() async throws -> [[String: Any]] {
        let answer =
            try await options.client.call(
                "GET", "/services/\(name)/config?env=\(options.env)\(reveal ? "&reveal=1" : "")")
            as? [String: Any] ?? [:]
        return answer["variables"] as? [[String: Any]] ?? []
    }

    private func list() async throws {
        let list = try await stored()
        let mask = "********"
        if options.json { return Output.json(list.map { ["value": mask].merging($0) { $1 } }) }
        for variable in list {
            let value = (variable["value"] as? String).map(Output.safe) ?? mask
            Output.line("\(variable["name"] as? String ?? "")=\(value)")
        }
    }

    private func values() throws -> [String: String] {
        var values: [String: String] = [:]
        for text in variables {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            if parts.count == 1 {
                values[name] = try input(name)
            } else if secret, parts[1].hasPrefix("@"), !parts[1].hasPrefix("@@") {
                values[name] = try file(String(parts[1].dropFirst()))
            } else {
                values[name] = String(secret && parts[1].hasPrefix("@@") ? parts[1].dropFirst() : parts[1])
                if secret, !options.quiet {
                    Output.trouble(
                        "the value of \(name) stands in your shell's history; without '=…' it is asked for")
                }
            }
        }
        return values
    }

    private func input(_ name: String) throws -> String {
        guard isatty(0) == 1 else {
            return try Config.text(FileHandle.standardInput.readToEnd() ?? Data(), from: "standard input")
        }
        guard let typed = getpass("Value of \(name) (not shown): ") else { throw ExitCode(130) }
        return String(cString: typed)
    }

    private func file(_ path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            Output.trouble("\(path) cannot be read")
            throw ExitCode(2)
        }
        return try Config.text(data, from: path)
    }

    /// Without the line end that editors and `echo` put behind a value.
    private static func text(_ data: Data, from origin: String) throws -> String {
        guard data.count <= 64 << 10, var text = String(data: data, encoding: .utf8), !text.isEmpty else {
            Output.trouble("\(origin) is empty, no text of UTF-8, or larger than 64 KiB")
            throw ExitCode(2)
        }
        if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
        return text
    }
}

/// What the secrets of a home are sealed with.
struct SecretKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret-key", abstract: "The key that secrets are sealed with.",
        subcommands: [Rotate.self])

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replace the key, and seal everything with the new one.",
            discussion: "Backups of before need the old key file: keep it with them.")
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            _ = try await options.client.call("POST", "/secret-key/rotate")
            if !options.quiet {
                Output.line("the key is replaced; back the new one up: \(options.directory.secretKey)")
            }
        }
    }
}
