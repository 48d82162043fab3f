// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Completions and manual pages, by the programs that read them.
@Suite(.timeLimit(.minutes(20)))
struct ShellTests {
    private static func path(_ tool: String) -> String? {
        ["/bin", "/usr/bin", "/usr/local/bin"].map { "\($0)/\(tool)" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    private static let shells = ["bash", "zsh", "fish"].filter { path($0) != nil }

    private func run(_ program: String, _ words: [String]) async throws -> Command.Result {
        try await Command.run(program, words)
    }

    @Test(arguments: shells) func completionsAreReadByTheirShell(_ shell: String) async throws {
        let kinto = "\(try Products.directory())/kinto"
        try await TemporaryDirectory.with { directory in
            let script = try await run(kinto, ["completions", shell])
            #expect(script.status == 0)
            for word in ["promote", "diff", "kinto completions services"] {
                #expect(script.output.contains(word))
            }
            try script.output.write(toFile: "\(directory)/script", atomically: true, encoding: .utf8)
            let read = try await run(try #require(Self.path(shell)), ["-n", "\(directory)/script"])
            #expect(read.status == 0 && read.output.isEmpty, "\(read.output)")
        }
        #expect(try await run(kinto, ["completions", "tcsh"]).status == 2)
    }

    /// As bash does it, with names of services from the server.
    @Test func bashCompletesServices() async throws {
        try await Server.with { server in
            try await server.kinto("service", "add", "hello")
            try await server.kinto("service", "add", "help-desk")
            let script = try await server.run("\(server.bin)/kinto", ["completions", "bash"])
            try script.output.write(toFile: "\(server.root)/completions", atomically: true, encoding: .utf8)
            let typed = """
                PATH="\(server.bin):$PATH"; export KINTO_HOME='\(server.home)'; source '\(server.root)/completions'
                COMP_WORDS=(kinto logs hel); COMP_CWORD=2; COMP_LINE='kinto logs hel'; COMP_POINT=14
                f=$(complete -p kinto | sed -E 's/.*-F ([^ ]+).*/\\1/'); $f kinto hel logs
                printf '%s\\n' "${COMPREPLY[@]}"
                """
            let reply = try await server.run("/bin/bash", ["-c", typed])
            #expect(
                reply.output.split(separator: "\n").sorted() == ["hello", "help-desk"], "\(reply.output)")
        }
    }

    @Test func manualPagesAreSound() async throws {
        let kinto = "\(try Products.directory())/kinto"
        let script =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path + "/scripts/man"
        try await TemporaryDirectory.with { directory in
            let made = try await run("/usr/bin/python3", [script, kinto, directory])
            #expect(made.status == 0, "\(made.output)")
            let pages = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            #expect(pages.count > 25 && pages.contains("kinto-service.1"), "\(pages)")
            let read = try await run(
                "/bin/sh",
                [
                    "-c",
                    "for page in '\(directory)'/*.1; do man --warnings=w -E UTF-8 -l \"$page\" 2>&1 >/dev/null; done",
                ])
            #expect(read.output.isEmpty, "\(read.output)")
            let page = try await run(
                "/bin/sh", ["-c", "LC_ALL=C.UTF-8 MANWIDTH=200 man -P cat -l '\(directory)/kinto-service.1'"])
            for words in ["kinto service rename [options] name to", "--with-secrets", "EXIT STATUS"] {
                #expect(page.output.contains(words), "\(words)")
            }
        }
    }
}
