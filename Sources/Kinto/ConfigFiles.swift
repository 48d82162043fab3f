// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

/// Variables from and to files, and beside those of another environment.
extension Config {
    /// - Throws: exit code 2 after every mistake was told with its line.
    func imported(_ path: String) throws -> [String: String] {
        let place = path == "-" ? "standard input" : path
        let data =
            path == "-"
            ? try FileHandle.standardInput.readToEnd() ?? Data() : FileManager.default.contents(atPath: path)
        guard let data else {
            Output.trouble("\(place) cannot be read")
            throw ExitCode(2)
        }
        do {
            let file = try Dotenv(Array(data))
            guard !file.variables.isEmpty else {
                Output.trouble("\(place) has no variables: nothing is changed")
                throw ExitCode(2)
            }
            if !options.quiet, !options.json {
                for note in file.notes {
                    Output.trouble("\(place):\(note.line): \(Output.safe(note.message))")
                }
                Output.line(
                    "-----> \(file.variables.count) variable\(file.variables.count == 1 ? "" : "s") of \(place)"
                )
                for name in file.variables.keys.sorted() { Output.line("       \(name)") }
            }
            return file.variables
        } catch let mistakes as Dotenv.Mistakes {
            for mistake in mistakes.remarks {
                // The words quote the file, which may hold a secret there.
                let told = secret ? "this line cannot be read" : Output.safe(mistake.message)
                Output.trouble("\(place):\(mistake.line): \(told)")
            }
            if secret { Output.error("       write NAME=value, and quote what has several lines\n") }
            Output.error("       nothing is changed\n")
            throw ExitCode(2)
        }
    }

    /// What `import` and a shell read again. A secret that is not revealed is a comment, so that nobody imports its mask.
    func export() async throws {
        let list = try await stored()
        if options.json { return Output.json(list) }
        var hidden = 0
        for variable in list {
            let name = variable["name"] as? String ?? ""
            if let value = variable["value"] as? String {
                Output.line(Dotenv.line(name, value))
            } else {
                Output.line("# \(name) is a secret")
                hidden += 1
            }
        }
        if hidden > 0, !options.quiet {
            Output.trouble("secrets (\(hidden)) are left out: --reveal writes them, on the server itself")
        }
    }

    func diff() async throws {
        let answer =
            try await options.client.call(
                "GET", "/services/\(name)/config/diff?env=\(options.env)&to=\(variables[0])")
            as? [String: Any]
            ?? [:]
        if options.json { return Output.json(answer) }
        let marks = answer["differences"] as? [String] ?? []
        if marks.isEmpty, !options.quiet {
            return Output.line("\(options.env) and \(variables[0]) of \(name) have the same variables")
        }
        if !options.quiet {
            Output.line("       + only in \(variables[0]), - only in \(options.env), ~ another value")
        }
        for mark in marks { Output.line(Output.safe(mark)) }
    }
}
