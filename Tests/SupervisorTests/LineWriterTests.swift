// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import Supervisor

struct LineWriterTests {
    @Test func aLineThatAKillLeftUnfinishedStaysALineOfItsOwn() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/console.log"
            try Data("2026-01-01T00:00:00.000Z whole\n2026-01-01T00:00:00.000Z tor".utf8).write(
                to: URL(fileURLWithPath: path))
            var writer = LineWriter(spec(path, .service))
            writer.write(lines(["next"]))
            let texts = try content(path)
            #expect(texts.count == 3)
            #expect(texts[1] == "2026-01-01T00:00:00.000Z tor")
            #expect(texts[2].hasSuffix("Z next"))
        }
    }

    /// Scenario 20.
    @Test func aLogDirectoryThatIsRemovedIsMadeAgain() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/logs/1/console.log"
            var writer = LineWriter(spec(path, .service))
            writer.write(lines(["before"]))
            try FileManager.default.removeItem(atPath: "\(directory)/logs")
            writer.write(lines(["after"]))
            #expect(try content(path).map { $0.suffix(5) } == ["after"])
        }
    }

    @Test func aLogThatGoesOnInANewFileSaysAfterWhichLine() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/console.log"
            var writer = LineWriter(spec(path, .service))
            var written = 0
            // Also over a restart of the supervisor in the middle.
            for round in 0..<3 {
                for _ in 0..<10 {
                    writer.write(lines((0..<100).map { "line \(written + $0)" }))
                    written += 100
                }
                let size = try content(path).joined(separator: "\n").utf8.count
                #expect(size <= 64 << 10)
                if round < 2 { writer = LineWriter(spec(path, .service)) }
            }
            let now = try content(path)
            let before = try #require(LogContinuation.lines(in: Array(now[0].utf8)[...]))
            #expect(now[1].hasSuffix("Z line \(before)"))
            #expect(now.count - 1 + before == written)
            let old = try content(path + ".1")
            #expect(old.last?.hasSuffix("Z line \(before - 1)") == true)
        }
    }

    /// Scenario 48: what a job says too much, and lines without an end.
    @Test func headAndTailOfAFloodAreKeptWithAMarkerBetween() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/release.log"
            var writer = LineWriter(spec(path, .job))
            var cleaner = OutputCleaner(secrets: [])
            let chunk = [UInt8](repeating: 0x78, count: 1 << 20)
            writer.write(cleaner.feed(Array("first\n".utf8)))
            for _ in 0..<16 { writer.write(cleaner.feed(chunk)) }
            for byte in UInt8(0)...255 { writer.write(cleaner.feed([byte, byte])) }
            writer.write(cleaner.feed(Array("</script>\nlast\n".utf8)))
            writer.write(cleaner.finish())
            writer.finish()
            let texts = try content(path)
            #expect(texts.first?.hasSuffix("first") == true)
            #expect(texts.last?.hasSuffix("last") == true)
            #expect(texts[texts.count - 2].hasSuffix("</script>"))
            let marker = try #require(texts.first { $0.contains("left out here") })
            #expect(marker.contains("output over 64 KiB: 10"), "\(marker)")
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count < 160 << 10)
        }
    }

    private func spec(_ path: String, _ mode: SupervisorSpec.Mode) -> SupervisorSpec {
        SupervisorSpec(
            identifier: "x", mode: mode, command: "", workingDirectory: "", environment: [], logPath: path,
            logStyle: .console, logLimit: 64 << 10, statePath: "")
    }

    private func lines(_ texts: [String]) -> Lines {
        var lines = Lines()
        for text in texts { lines.append(text.utf8) }
        return lines
    }

    private func content(_ path: String) throws -> [String] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.hasSuffix("\n"))
        return text.split(separator: "\n").map(String.init)
    }
}
