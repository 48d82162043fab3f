// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Supervisor
@testable import Wire

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
        let text = Array("one\r\n 10%\r 50%\r100%\nbad \u{7}bell\n".utf8) + [0xFF, 0x0A] + Array("rest".utf8)
        #expect(lines(of: [text]) == ["one", "100%", "bad bell", "\u{FFFD}", "rest"])
    }

    @Test func longLinesAreCut() {
        let lines = lines(of: [[UInt8](repeating: 0x61, count: LineSplitter.limit * 2 + 5)])
        #expect(lines.map(\.utf8.count) == [LineSplitter.limit, LineSplitter.limit, 5])
    }

    @Test(arguments: ["é", "€", "🚀", "\u{1B}[31m"])
    func longLinesAreCutBetweenCharacters(character: String) {
        for shift in 0..<5 {
            let text = String(repeating: "a", count: shift) + String(repeating: character, count: 20_000)
            let pieces = lines(of: [Array(text.utf8)])
            #expect(pieces.count > 2)
            #expect(pieces.joined() == text)
            #expect(pieces.allSatisfy { $0.hasPrefix(character) || $0.hasPrefix("a") })
        }
    }

    @Test func bytesThatBeginCharactersWithoutAnEndAreNoHindrance() {
        for byte in [UInt8(0x80), 0xBF, 0xC3, 0xE2, 0xF0, 0xF8, 0xFF] {
            let lines = lines(of: [[UInt8](repeating: byte, count: LineSplitter.limit * 3) + [0x0A]])
            #expect(lines.count >= 3)
            #expect(lines.allSatisfy { $0.allSatisfy { $0 == "\u{FFFD}" } })
        }
    }

    @Test func ofEscapeSequencesOnlyColoursAreLeftHoweverTheyAreSplit() {
        let text = Array(
            ("\u{1B}[1;31mred\u{1B}[0m \u{1B}[2J\u{1B}[10;1Hmoved \u{1B}]0;title\u{7}x"
                + "\u{1B}]8;;http://example.com/\u{1B}\\link\u{1B}]8;;\u{1B}\\ \u{1B}]52;c;c3RvbGVu\u{7}"
                + "\u{9B}31mlatin\u{9D}0;title\u{7} \u{1B}(B\u{1B}c\u{1B}[6n\u{1B}[>4;1mend \u{1B}]open\n"
                + "next\u{1B}[\nlast\u{1B}P1$r\u{1B}\\\0\u{8}\n").utf8)
        let expected = [
            "\u{1B}[1;31mred\u{1B}[0m moved xlink \u{1B}[31mlatin end ", "next", "last",
        ]
        #expect(lines(of: [text]) == expected)
        for split in 0...text.count {
            let lines = lines(of: [Array(text[..<split]), Array(text[split...])])
            #expect(lines == expected)
        }
        #expect(lines(of: text.map { [$0] }) == expected)
    }

    @Test func progressIsToldOnceASecondAndItsEndStays() {
        var splitter = LineSplitter()
        let feed = { (text: String, now: Int64) in splitter.feed(Array(text.utf8), now: now).texts }
        #expect(feed("\r10%\r20%", 10_000) == ["20%\r"])
        #expect(feed("\r30%", 10_500) == [])
        #expect(splitter.pause(now: 10_700).texts == ["30%\r"])
        #expect(!splitter.isWaiting)
        #expect(feed("\r40%\r50%", 11_800) == ["50%\r"])
        #expect(feed("\r100%\u{1B}[0m\r\n", 11_900) == ["100%\u{1B}[0m"])
        #expect(feed("done\n", 12_000) == ["done"])
        #expect(splitter.finish().texts == [])
    }

    @Test func aPromptIsShownAtAPause() {
        var splitter = LineSplitter()
        #expect(splitter.feed(Array("Password: ".utf8), now: 0).isEmpty)
        #expect(splitter.isWaiting)
        #expect(splitter.pause(now: 200).texts == ["Password: "])
        #expect(!splitter.isWaiting)
    }

    private func lines(of parts: [[UInt8]]) -> [String] {
        var cleaner = OutputCleaner(secrets: [])
        return parts.flatMap { cleaner.feed($0, now: 0).texts } + cleaner.finish(now: 0).texts
    }
}

extension Lines {
    var texts: [String] {
        zip([0] + ends, ends).map { String(decoding: bytes[$0..<$1], as: UTF8.self) }
    }
}
