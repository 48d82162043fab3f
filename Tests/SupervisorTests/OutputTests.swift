// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Supervisor

struct OutputTests {
    @Test func secretsAreRedactedHoweverTheyAreSplit() {
        let text = Array("user=alice password=hunter22-secret; c2FsdGVkLXNlY3JldA== end".utf8)
        for split in 0...text.count {
            var redactor = Redactor(["hunter22-secret", "salted-secret"])
            let shown =
                redactor.feed(Array(text[..<split])) + redactor.feed(Array(text[split...])) + redactor.flush()
            let string = String(decoding: shown, as: UTF8.self)
            #expect(string.contains("password=[redacted];"))
            #expect(!string.contains("hunter22"))
            #expect(!string.contains("c2FsdGVkLXNlY3Jl"), "\(string)")
        }
    }

    @Test func linesAreCleanAndWhole() {
        var splitter = LineSplitter()
        var lines = splitter.feed(
            Array("one\r\n 10%\r 50%\r100%\nbad \u{7}bell\n".utf8) + [0xFF, 0x0A] + Array("rest".utf8)
        ).texts
        lines += splitter.flush().texts
        #expect(lines == ["one", "100%", "bad bell", "\u{FFFD}", "rest"])
    }

    @Test func longLinesAreCut() {
        var splitter = LineSplitter()
        let lines = splitter.feed([UInt8](repeating: 0x61, count: LineSplitter.limit * 2 + 5))
        #expect(lines.texts.map(\.utf8.count) == [LineSplitter.limit, LineSplitter.limit])
        #expect(splitter.flush().texts == ["aaaaa"])
    }

    @Test(arguments: ["é", "€", "🚀"])
    func longLinesAreCutBetweenCharacters(character: String) {
        for shift in 0..<4 {
            let text = String(repeating: "a", count: shift) + String(repeating: character, count: 20_000)
            var splitter = LineSplitter()
            let pieces = splitter.feed(Array(text.utf8)).texts + splitter.flush().texts
            #expect(pieces.count > 2)
            #expect(pieces.joined() == text)
        }
    }

    @Test func bytesThatBeginCharactersWithoutAnEndAreNoHindrance() {
        for byte in [UInt8(0x80), 0xBF, 0xC3, 0xE2, 0xF0, 0xF8, 0xFF] {
            var splitter = LineSplitter()
            let lines = splitter.feed([UInt8](repeating: byte, count: LineSplitter.limit * 3) + [0x0A])
            #expect(lines.texts.count >= 3)
            #expect(lines.texts.allSatisfy { $0.allSatisfy { $0 == "\u{FFFD}" } })
            #expect(splitter.isEmpty)
        }
    }
}

extension Lines {
    fileprivate var texts: [String] {
        zip([0] + ends, ends).map { String(decoding: bytes[$0..<$1], as: UTF8.self) }
    }
}
