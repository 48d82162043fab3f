// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import Control

struct LogIndexTests {
    private static let time = "2026-01-02T03:04:05.678Z "

    /// Lines of very different lengths over several blocks, in a log that grows and is rotated while it is asked for.
    @Test func linesAreFoundByTheNumbersThatTheyWereWrittenWith() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/console.log"
            var random = SplitMix(state: 7)
            let index = LogIndex()
            var written: [String] = []
            func grow(_ count: Int) throws {
                var text = ""
                for _ in 0..<count {
                    let length = Int.random(in: 0...2, using: &random) == 0 ? 9000 : 30
                    written.append(
                        "line \(written.count + 1) "
                            + String(repeating: "x", count: Int.random(in: 0...length, using: &random)))
                    text += LogIndexTests.time + written[written.count - 1] + "\n"
                }
                try append(text, to: path)
            }
            func check(from first: Int) throws {
                for _ in 0..<20 {
                    let start = Int.random(in: 1...written.count, using: &random)
                    let window = index.window(path, from: start, limit: 30)
                    #expect(window.all == (first + 1)...written.count)
                    let from = max(start, first + 1)
                    #expect(window.first == from)
                    #expect(texts(window.bytes) == Array(written[(from - 1)..<min(from + 29, written.count)]))
                }
                let end = index.window(path, from: nil, limit: 50)
                #expect(end.isAtEnd)
                #expect(texts(end.bytes) == Array(written[max(first, written.count - 50)...]))
                // Who has had so many goes on with the next.
                let seen = Int.random(in: first...(written.count - 1), using: &random)
                let reader = LogReader(
                    path: path, tail: nil, start: index.mark(path, after: seen), follows: false)
                #expect(texts(try #require(reader.next())).first == written[seen])
            }
            for _ in 0..<4 {
                try grow(800)
                try check(from: 0)
            }
            // What is not finished is no line yet.
            try append("2026-01", to: path)
            #expect(index.window(path, from: nil, limit: 5).last == written.count)
            try append("-02T03:04:05.678Z half\n", to: path)
            written.append("half")
            #expect(rename(path, path + ".1") == 0)
            try append(LogIndexTests.time + LogContinuation.text(after: written.count) + "\n", to: path)
            try grow(1200)
            try check(from: 0)
            let first = 3201
            #expect(rename(path, path + ".1") == 0)
            try append(LogIndexTests.time + LogContinuation.text(after: written.count) + "\n", to: path)
            try grow(500)
            try check(from: first)
            #expect(index.mark(path, after: 10) == nil)
            #expect(index.mark(path, after: written.count + 10) == nil)
        }
    }

    /// Another file may get the number of one that is gone.
    @Test func anotherLogInTheSamePlaceIsReadAnew() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/release.log"
            let index = LogIndex()
            for round in 1...3 {
                let lines = (0..<round).map { "2026-01-02T03:04:05.00\(round)Z line \($0) of \(round)\n" }
                    .joined()
                try Data(lines.utf8).write(to: URL(filePath: path))
                #expect(index.window(path, from: nil, limit: 10).count == round)
            }
            #expect(index.window("\(directory)/none.log", from: 5, limit: 10).count == 0)
            try Data().write(to: URL(filePath: path))
            #expect(index.window(path, from: nil, limit: 10).all == 0...0)
        }
    }

    @Test func searchTellsTheNumbersOfLinesAndNotOfTheirTimes() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/release.log"
            var text = ""
            for number in 1...30_000 {
                let word =
                    number % 10_000 == 0
                    ? "Needle \(number)" : "hay and \(String(repeating: "straw ", count: 8))"
                text += LogIndexTests.time + "       \(word)\n"
            }
            try append(text, to: path)
            let index = LogIndex()
            #expect(
                index.lines(path, with: [Array("needle".utf8)], limit: 10).map(\.number) == [
                    10_000, 20_000, 30_000,
                ])
            #expect(index.lines(path, with: [Array("needle".utf8)], limit: 2).count == 2)
            #expect(index.lines(path, with: [Array("2026-01-02".utf8)], limit: 10).isEmpty)
            #expect(DashboardLines.firstBad(path, index) == nil)
            try append(
                LogIndexTests.time + "-----> Building: make error-pages\n" + LogIndexTests.time
                    + "       a note !     of no error\n" + LogIndexTests.time + " !     it failed\n",
                to: path)
            // The step is none; a line with the word is one, as on the page.
            #expect(DashboardLines.firstBad(path, index) == 30_002)
        }
    }

    private func texts(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { String($0.dropFirst(25)) }
    }

    private func append(_ text: String, to path: String) throws {
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        defer { try? file.close() }
        try file.seekToEnd()
        try file.write(contentsOf: Data(text.utf8))
    }
}
