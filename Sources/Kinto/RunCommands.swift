// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import KintoCore

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a command once, in what is live.",
        discussion: """
            In the artifact and with the configuration of the live release or of another one, with the limits of a
            service. On a terminal it has a terminal; else input, output and errors are passed on, and always its exit
            status. When this command ends, so does that one. On the server itself only.

            One word after -- is a line for the shell; several are a program and its arguments, as they are.

            EXAMPLES:
              kinto run hello -- bin/rails console
              kinto run hello -- 'pg_dump "$DATABASE_URL" | gzip' > dump.gz
              kinto run hello --release 3 -- ./server --check
              kinto run hello --detach -- ./import --all
              kinto run hello --stop run.7
            """)
    @OptionGroup var options: GlobalOptions
    @Argument var name: String
    @Option(help: "In this release, also one that failed after its build.") var release: Int?
    @Flag(help: "Without input and terminal: it prints to a log and goes on by itself.") var detach = false
    @Option(help: ArgumentHelp("End one that runs.", valueName: "run")) var stop: String?
    @Argument(parsing: .postTerminator, help: "After --.") var command: [String] = []

    func validate() throws {
        guard command.isEmpty == (stop != nil) else {
            throw ValidationError("say what is to be run: kinto run \(name) -- COMMAND")
        }
    }

    func run() async throws {
        if let stop {
            _ = try await options.client.call(
                "POST", "/services/\(name)/run/stop", ["environment": options.env, "run": stop])
            if !options.quiet { Output.line("\(stop) has ended") }
            return
        }
        try await Attaching(options: options, service: name, release: release).run(command, detach: detach)
    }
}

struct Shell: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A shell in what is live, or in a release that failed.",
        discussion: """
            In its artifact, with its configuration and the limits of a service. On the server itself only.

            EXAMPLES:
              kinto shell hello
              kinto shell hello --release 4
            """)
    @OptionGroup var options: GlobalOptions
    @Argument var name: String
    @Option(help: "In this release.") var release: Int?

    func run() async throws {
        try await Attaching(options: options, service: name, release: release).run(
            ["if command -v bash >/dev/null; then exec bash; else exec sh; fi"], detach: false)
    }
}

/// Starts a command on the server and has its input and output.
private struct Attaching {
    let options: GlobalOptions
    let service: String
    let release: Int?

    func run(_ command: [String], detach: Bool) async throws {
        guard options.client.isLocal else {
            Output.trouble("commands are run on the server itself: log in there, and leave KINTO_URL out")
            throw ExitCode(3)
        }
        let isTerminal = !detach && isatty(0) == 1 && isatty(1) == 1
        var body: [String: Any] = ["environment": options.env, "command": command, "detach": detach]
        body["release"] = release
        if isTerminal { body["terminal"] = ProcessInfo.processInfo.environment["TERM"] ?? "dumb" }
        let answer = try await options.client.call("POST", "/services/\(service)/run", body) as? [String: Any]
        let run = answer?["run"] as? [String: Any] ?? [:]
        guard let socket = answer?["socket"] as? String else {
            if options.json { return Output.json(run) }
            let (name, number) = (run["name"] as? String ?? "", run["release"] as? Int ?? 0)
            if options.quiet { return Output.line(name) }
            Output.line("\(name) runs in release \(number)")
            Output.line(
                "       kinto logs \(options.words(service)) --release \(number) --process \(name) -f")
            return Output.line("       kinto run \(options.words(service)) --stop \(name)")
        }
        let status = try await Blocking.run {
            try isTerminal ? RunTerminal.run(socket) : RunRelay.run(socket)
        }
        throw ExitCode(status)
    }
}
