// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore
internal import Runner
internal import Wire

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check kinto.json, as a push does, and warn of what will fail.",
        discussion: """
            Mistakes end with 2. Warnings do not: they say what a deploy would meet, from the settings and the names and texts of \
            small source files.

            EXAMPLES:
              kinto check
              kinto check services/api --json
              kinto check --service hello     also asks the server for its environments and the names of its variables
            """
    )
    @Option(help: "The state directory (KINTO_HOME).") var home: String?
    @Option(help: "The service that it is for: settings of environments that it does not have are mistakes.")
    var service: String?
    @Argument var directory = "."
    @Option(
        name: [.customShort("e"), .customLong("env"), .customLong("environment")], help: "The environment.")
    var env = "production"
    @Flag(help: "Print facts as JSON.") var json = false

    /// What was found.
    private struct Report: Encodable {
        struct Mistake: Encodable {
            let line, column: Int
            let message: String
        }

        var file: String
        var valid = false
        /// Of `web`; none: workers only.
        var start: String?
        var serves: String?
        /// What runs all the time, in words.
        var runs: [String] = []
        var mistakes: [Mistake] = []
        var warnings: [Warning] = []
        /// Keys that this version does not act upon, in sentences.
        var unsupported: [String] = []
        /// Environments with settings of their own that the service does not have.
        var unknownEnvironments: [String] = []
    }

    func run() async throws {
        var report = Report(file: "\(directory)/kinto.json")
        if let reason = CheckedFile.refusal(directory, report.file) {
            report.mistakes = [.init(line: 1, column: 1, message: reason)]
            return try end(report, Failure(code: "manifest-not-a-file", reason))
        }
        let settings = SourceDirectory.content(report.file, Manifest.sizeLimit + 1)
        let procfile = SourceDirectory.content("\(directory)/Procfile", Manifest.sizeLimit)
        if settings == nil {
            report.warnings +=
                ForeignFiles.warning {
                    SourceDirectory.content("\(directory)/\($0)", ForeignFiles.sizeLimit)
                }.map { [$0] } ?? []
        }
        guard let bytes = settings ?? procfile.map({ _ in Array("{}".utf8) }) else {
            report.mistakes = [
                .init(
                    line: 1, column: 1,
                    message: "\(report.file) is not there; the smallest one is { \"start\": \"./server\" }")
            ]
            let found = Detection.of(ProjectFiles(directory: directory))
            try end(
                report,
                Failure(
                    code: "manifest-missing", report.mistakes[0].message,
                    evidence: found.map {
                        ["it looks like \($0.words); 'kinto init \(directory)' writes one"]
                    } ?? []))
            return
        }
        switch Manifest.parse(bytes, environment: env, procfile: procfile) {
        case .success(let manifest):
            report.valid = true
            report.start = manifest.start
            report.serves = manifest.served
            report.runs = manifest.groups().map { "\($0.instances) of \($0.name) ('\($0.command)')" }
            report.unsupported = manifest.unsupported
            let root = manifest.root == "." ? directory : "\(directory)/\(manifest.root)"
            if Files.isDirectory(root) {
                report.warnings += Foresight(manifest, SourceDirectory.read(root)).check(
                    config: try await config())
            } else {
                report.warnings.append(
                    Warning(
                        code: "root-missing", "root names '\(manifest.root)', and there is no such directory",
                        hint: .init("name a directory of the repository in root, or leave root out")))
            }
            try await checkEnvironments(manifest.overridden ?? [], &report)
            try end(report, nil)
        case .failure(let errors):
            report.mistakes = errors.diagnostics.map {
                .init(line: $0.line, column: $0.column, message: $0.message)
            }
            if !json { Output.error(errors.rendered + "\n") }
            try end(report, nil)
        }
    }

    /// - Throws: exit code 2 for mistakes.
    private func end(_ report: Report, _ failure: Failure?) throws {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            Output.write(Array(try encoder.encode(report)) + [0x0A])
        } else {
            if let failure {
                Output.trouble(failure.message)
                for line in failure.evidence { Output.error("       \(Output.safe(line))\n") }
            }
            if report.valid {
                let does =
                    (report.runs.isEmpty ? [] : ["runs \(report.runs.joined(separator: ", "))"])
                    + (report.serves.map { ["serves the files of '\($0)'"] } ?? [])
                Output.line("kinto.json is valid: \(Output.safe(does.joined(separator: "; ")))")
            }
            for notice in report.unsupported { Output.line(" !     \(notice)") }
            for warning in report.warnings { for line in warning.lines { Output.line(line.text) } }
        }
        if !report.valid || !report.unknownEnvironments.isEmpty { throw ExitCode(2) }
    }

    /// Names of the variables that are set at the server; nil: no service was named.
    private func config() async throws -> Set<String>? {
        guard let service else { return nil }
        let answer =
            try await GlobalOptions.client(home).call("GET", "/services/\(service)/config?env=\(env)")
            as? [String: Any] ?? [:]
        return Set((answer["variables"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String })
    }

    private func checkEnvironments(_ names: [String], _ report: inout Report) async throws {
        guard !names.isEmpty else { return }
        guard let service else {
            if !json {
                Output.line("       it has settings of its own for: \(names.joined(separator: ", "))")
            }
            return
        }
        let client = GlobalOptions.client(home)
        let answer = try await client.call("GET", "/services/\(service)/environments")
        let known = (answer as? [[String: Any]] ?? []).compactMap { $0["environment"] as? String }
        // Those of branches come and go.
        report.unknownEnvironments = names.filter { !known.contains($0) && $0 != Preview.settings }
        for name in report.unknownEnvironments where !json {
            Output.trouble(
                "it has settings for '\(name)', and \(service) has no such environment: \(known.joined(separator: ", "))"
            )
        }
    }
}
