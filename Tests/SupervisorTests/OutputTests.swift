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
            Array("one\r\n 10%\r 50%\r100%\nbad \u{7}bell\n".utf8) + [0xFF, 0x0A] + Array("rest".utf8))
        lines += splitter.flush()
        #expect(
            lines.map { String(decoding: $0, as: UTF8.self) } == [
                "one", "100%", "bad bell", "\u{FFFD}", "rest",
            ])
    }

    @Test func longLinesAreCut() {
        var splitter = LineSplitter()
        let lines = splitter.feed([UInt8](repeating: 0x61, count: LineSplitter.limit * 2 + 5))
        #expect(lines.count == 2)
    }
}
