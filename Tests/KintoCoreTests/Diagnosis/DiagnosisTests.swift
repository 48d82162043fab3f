// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import KintoCore

struct DiagnosisTests {
    static let target = try? Target(service: ServiceName("hello"))

    /// What the engine makes of the output, as it lies in a log.
    static func explain(
        _ output: String, isBuild: Bool = true, exit: Int32 = 1, command: String = "./build",
        answer: [String] = [],
        environment: [String] = [], prepare: (String) throws -> Void = { _ in }
    ) async throws -> Failure {
        try await TemporaryDirectory.with { directory in
            try prepare(directory)
            let log = "\(directory)/.log"
            let time = "2026-01-02T03:04:05.678Z "
            var text = isBuild ? "\(time)-----> Building: \(command)\n" : ""
            for line in output.split(separator: "\n", omittingEmptySubsequences: false) {
                text += "\(time)\(isBuild ? "       " : "")\(line)\n"
            }
            try text.write(toFile: log, atomically: true, encoding: .utf8)
            let ending: SupervisorState.Ending =
                exit > 128 && exit < 160 ? .signaled(exit - 128) : .exited(code: exit)
            return Diagnosis(
                isBuild ? .command(log: log) : .console(log: log, answer: answer), try #require(target),
                release: 7, port: isBuild ? nil : 24_999, command: command, directory: directory,
                environment: environment, ending: ending
            ).explain(Failure(code: isBuild ? "build-exit" : "exited", "it failed"))
        }
    }

    @Test(arguments: FailureFixture.all.map(\.name))
    func theCauseOfARealFailureIsNamed(_ name: String) async throws {
        let fixture = try #require(FailureFixture.all.first { $0.name == name })
        let failure = try await DiagnosisTests.explain(
            fixture.output.trimmingCharacters(in: .newlines), isBuild: fixture.isBuild, exit: fixture.exit,
            command: fixture["command"]
        ) { try fixture.write(to: $0) }
        #expect(
            failure.cause?.code ?? "none" == fixture["cause"],
            "\(failure)\n\(failure.told.joined(separator: "\n"))")
        // What the machine has left is told first, and changes.
        guard failure.cause?.code != "killed-by-system", failure.cause?.code != "out-of-memory" else {
            return
        }
        #expect(failure.evidence.first == fixture["first"], "\(failure.told.joined(separator: "\n"))")
    }

    /// Not in a library, though the error came from there.
    @Test(arguments: [
        ("rust-library-frame", "main.rs:2"), ("rust-panic", "main.rs:4"),
        ("php-library-frame", "index.php:4"),
        ("php-uncaught", "index.php:3"), ("swift-nil", "app/main.swift:2"),
        ("python-library-frame", "app.py:4"),
        ("go-panic", "main.go:"), ("java-crash", ".java:"), ("node-crash", ".js:"),
    ])
    func theInnermostPlaceOfItsOwnIsNamed(name: String, place: String) async throws {
        let fixture = try #require(FailureFixture.all.first { $0.name == name })
        let failure = try await DiagnosisTests.explain(
            fixture.output.trimmingCharacters(in: .newlines), isBuild: false, exit: fixture.exit,
            command: fixture["command"])
        let places = failure.evidence.filter { $0.hasPrefix("at ") }
        #expect(places.count == 1, "\(failure.told)")
        #expect(
            places.first?.replacing("/srv/app/", with: "").dropFirst(3).contains(place) == true,
            "\(failure.told)")
    }

    @Test func whatIsSetIsNotMissing() async throws {
        let output =
            "Traceback (most recent call last):\n  File \"app.py\", line 2, in <module>\nKeyError: 'HOME_PAGE'"
        let unset = try await DiagnosisTests.explain(output, isBuild: false)
        #expect(unset.cause?.code == "variable-missing")
        #expect(unset.hints.first?.command == "kinto config hello set HOME_PAGE=…")
        let set = try await DiagnosisTests.explain(output, isBuild: false, environment: ["HOME_PAGE=x"])
        #expect(set.cause?.code == "uncaught-error")
    }

    @Test func whatIsNotKnownIsNotGuessedAndTheFirstErrorIsShown() async throws {
        let noise = (1...300).map { "copying part \($0)" }.joined(separator: "\n")
        let after = (1...300).map { "skipped part \($0)" }.joined(separator: "\n")
        let failure = try await DiagnosisTests.explain(
            "\(noise)\nzorg: fatal: the gate is shut\n\(after)\nzorg: failed")
        #expect(failure.cause == nil)
        #expect(failure.evidence.contains("zorg: fatal: the gate is shut"))
        #expect(failure.evidence.last == "zorg: failed")
    }

    /// A check that goes on after what is wrong, in its own signs and words.
    @Test func linesThatLookTheSameAreShownTogetherWithTheEnd() async throws {
        let pages = (1...300).map {
            $0 == 117 || $0 == 204 ? "  ✗ page \($0): a dead link" : "  ✓ page \($0)"
        }
        let failure = try await DiagnosisTests.explain(
            (pages + ["300 pages, 2 with dead links"]).joined(separator: "\n"))
        #expect(failure.cause == nil)
        #expect(
            failure.evidence.map { $0.trimmingCharacters(in: .whitespaces) } == [
                "✓ page 115", "✓ page 116", "✗ page 117: a dead link", "✓ page 118", "✓ page 119",
                "✓ page 120", "…",
                "✗ page 204: a dead link", "…", "✓ page 299", "✓ page 300", "300 pages, 2 with dead links",
            ], "\(failure.evidence)")
    }

    @Test func whatAToolSaysLastIsToldAfterWhatWasPrintedBefore() async throws {
        let noise = (1...40).map { "checked module \($0)" }
        let difference = [
            "diff -u api.txt .now", "--- api.txt", "+++ .now", "@@ -1,3 +1,3 @@", " def a(x):", "-def b(x):",
            "+def b(x, y):", " def c():",
        ]
        let failure = try await DiagnosisTests.explain(
            (noise + difference + ["make: *** [Makefile:4: check] Error 1"]).joined(separator: "\n"), exit: 2)
        #expect(failure.cause?.code == "tool-failed")
        #expect(Array(failure.evidence.suffix(9)) == difference + ["make: *** [Makefile:4: check] Error 1"])
        #expect(failure.evidence.count == 12)
    }

    @Test func theLevelOfALineIsTaken() async throws {
        let lines = [
            #"{"level":"info","msg":"cache is warm","errors":0}"#,
            #"{"level":"error","msg":"license is over"}"#,
        ]
        let after = (1...30).map { #"{"level":"info","msg":"closing \#($0)"}"# }
        let failure = try await DiagnosisTests.explain(
            (lines + after).joined(separator: "\n"), isBuild: false)
        #expect(failure.evidence.prefix(2) == lines[...], "\(failure.evidence)")
        #expect(failure.evidence.last == after.last)
    }

    /// The output is the repository's: it may say what it likes.
    @Test func whatIsPrintedBecomesNoCommand() async throws {
        let escape = "\u{1B}]0;owned\u{7}\u{1B}[2J"
        let hostile = [
            "$(reboot)", "a;reboot", "--upload-pack=reboot", "../../outside", "/etc/passwd", "a`reboot`",
            "-x", "a b",
            "a\u{1B}[31m", "a\u{202E}b", "x/../../y",
        ]
        for name in hostile {
            for line in [
                "/bin/sh: 1: \(name): Permission denied", "KeyError: '\(name)'",
                "Error: Cannot find module '\(name)'",
                "\(escape)ModuleNotFoundError: No module named '\(name)'",
                "environment variable \(name) is not set",
            ] {
                for isBuild in [true, false] {
                    let failure = try await DiagnosisTests.explain(line, isBuild: isBuild, exit: 126)
                    for hint in failure.hints {
                        #expect(hint.command?.contains(name) != true, "\(line): \(hint)")
                    }
                    let shown = failure.told.joined()
                    #expect(
                        !shown.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }, "\(shown)")
                }
            }
        }
    }

    @Test func commandsHaveNoHolesButThoseThatAreSafe() {
        for rule in Rule.all {
            for step in rule.steps {
                for hole in LogPattern(step.command ?? "").holes where hole != hole.uppercased() {
                    #expect(Hole(hole).isForCommands, "\(rule.code): \(step)")
                    #expect(rule.patterns.allSatisfy { $0.holes.contains(hole) }, "\(rule.code): \(step)")
                }
            }
        }
    }

    /// Lines that look like every rule, and nothing but the beginnings of matches.
    @Test func aLogThatIsMadeToBeSlowIsRead() async throws {
        let anchors = Rule.all.flatMap(\.patterns).map { String(decoding: $0.anchor, as: UTF8.self) }
        let line = String(anchors.joined(separator: " ").prefix(1900))
        let lines =
            Array(repeating: line, count: 500)
            + Array(repeating: String(repeating: "error: ", count: 2000), count: 100)
        let failure = try await DiagnosisTests.explain(
            lines.joined(separator: "\n") + "\n" + "ENOSPC: no space left on device, write")
        #expect(failure.cause != nil)
        #expect(failure.evidence.allSatisfy { $0.utf8.count < 500 })
    }

    @Test func theFirstErrorOfAChainIsShown() async throws {
        let failure = try await DiagnosisTests.explain(
            """
            Traceback (most recent call last):
              File "app.py", line 5, in load
                return json.load(open('settings.json'))
            FileNotFoundError: [Errno 2] No such file or directory: 'settings.json'

            The above exception was the direct cause of the following exception:

            Traceback (most recent call last):
              File "app.py", line 8, in <module>
                load()
            SettingsError: settings could not be loaded
             !     exited with code 1 after 85 ms; starting again in 100 ms
            """, isBuild: false)
        #expect(
            failure.cause?.message
                == "an error was thrown at app.py:8: SettingsError: settings could not be loaded")
        #expect(
            failure.evidence.contains { $0.hasPrefix("caused by FileNotFoundError: ") }, "\(failure.evidence)"
        )
        #expect(!failure.told.joined().contains("starting again"))
    }
}
