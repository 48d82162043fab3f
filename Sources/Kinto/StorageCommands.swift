// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Control
internal import Foundation
internal import KintoCore

struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy the home into a directory, also while the server runs.",
        discussion: """
            The copy holds every secret of the home: its keys, certificates, tokens and webhook secrets. Keep it as the
            home itself. What it is and what it leaves out: docs/storage.md.

            EXAMPLES:
              kinto backup /backup/kinto-2026-11-25
            """)
    @OptionGroup var options: GlobalOptions
    @Argument(help: "A directory that is not there yet, or empty.") var directory: String

    func run() async throws {
        let path = URL(fileURLWithPath: directory).standardizedFileURL.path
        let summary = try HomeBackup(options.directory, version: Kinto.version).write(to: path)
        if options.json {
            return Output.json([
                "directory": path, "services": summary.services, "artifacts": summary.artifacts,
                "notices": summary.notices,
            ])
        }
        for notice in summary.notices { Output.trouble(Output.safe(notice)) }
        guard !options.quiet else { return }
        Output.line("-----> \(summary.services) services and \(summary.artifacts) artifacts are in \(path)")
        Output.line("       it holds the home's secrets; restore it with: kinto restore \(path) --home NEW")
    }
}

struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a new home of a backup; 'kinto serve' starts what was live from it, without a build.",
        discussion: "EXAMPLES:\n  kinto restore /backup/kinto-2026-11-25 --home /var/lib/kinto")
    @OptionGroup var options: GlobalOptions
    @Argument(help: "What 'kinto backup' made.") var directory: String

    func run() async throws {
        let path = URL(fileURLWithPath: directory).standardizedFileURL.path
        let home = options.directory
        let summary = try await HomeRestore(path, runtime: Kinto.runtimePath).restore(to: home)
        if options.json {
            return Output.json([
                "home": home.path, "services": summary.services, "artifacts": summary.artifacts,
                "notices": summary.notices,
            ])
        }
        for notice in summary.notices { Output.trouble(Output.safe(notice)) }
        guard !options.quiet else { return }
        Output.line(
            "-----> \(summary.services) services and \(summary.artifacts) artifacts are in \(home.path)")
        Output.line("       start them with: kinto serve --home \(home.path)")
    }
}
