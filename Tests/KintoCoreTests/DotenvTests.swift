// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing

struct DotenvTests {
    private func read(_ text: String) throws -> [String: String] { try Dotenv(Array(text.utf8)).variables }

    @Test(arguments: [
        ("A=1\nB=two words  # said\n", ["A": "1", "B": "two words"]),
        ("export A=1\nexport\tB = 2\nexport=3", ["A": "1", "B": "2", "export": "3"]),
        ("# only\n\n   # comments\n A=x#y\nB=#none\nC=\n", ["A": "x#y", "B": "", "C": ""]),
        (#"A='a # "b" \n $C'  # after"#, ["A": #"a # "b" \n $C"#]),
        (#"A="a\nb\t\"c\" \$D \w \\ ""#, ["A": "a\nb\t\"c\" $D \\w \\ "]),
        (
            "A='one\n  two'\nB=\"x\ny\"\nC=`it's \"so\"`",
            ["A": "one\n  two", "B": "x\ny", "C": "it's \"so\""]
        ),
        (#"A='it'\''s' "# + "\n" + #"B='it'"'"'s'"#, ["A": "it's", "B": "it's"]),
        ("\u{FEFF}A=1\r\nB='x\r\ny'\r\nC=\"2\"\r\n", ["A": "1", "B": "x\ny", "C": "2"]),
        ("URL=postgres://u:p=w@host/db?a=b&c='d'\n", ["URL": "postgres://u:p=w@host/db?a=b&c='d'"]),
        ("A=1\nA=2\n", ["A": "2"]),
    ])
    func readsWhatOthersRead(_ text: String, _ expected: [String: String]) throws {
        #expect(try read(text) == expected)
    }

    @Test func tellsEveryMistakeWithItsLine() throws {
        let text = "A=1\nnonsense\n\nB='x' y\nKINTO_X=1\n9A=1\n=3\nC=\"open\nD=4\n"
        let mistakes = try #require(throws: Dotenv.Mistakes.self) { try read(text) }
        #expect(mistakes.remarks.map(\.line) == [2, 4, 5, 6, 7, 8], "\(mistakes.remarks)")
        #expect(mistakes.remarks.last?.message == "the quote \" of C is not closed")
        let bytes = try #require(throws: Dotenv.Mistakes.self) { try Dotenv([0x41, 0x3D, 0xFF]) }
        #expect(bytes.remarks.first?.message == "the file is no text of UTF-8")
        #expect(throws: Dotenv.Mistakes.self) { try read("A='\0'") }
    }

    @Test func aKeyOfSeveralLinesIsQuoted() throws {
        let key = "-----BEGIN KEY-----\nMIIE=abcdefgh\n-----END KEY-----"
        let mistakes = try #require(throws: Dotenv.Mistakes.self) { try read("A=1\nKEY=\(key)\nB\n") }
        #expect(mistakes.remarks.map(\.line) == [2, 5])
        #expect(mistakes.remarks.first?.message.contains("stands in quotes") == true)
        #expect(try read("KEY='\(key)'")["KEY"] == key)
        #expect(
            try read("KEY=-----BEGIN KEY----- MIIE -----END KEY-----")["KEY"]?.hasSuffix("KEY-----") == true)
    }

    @Test func tellsWhatMayNotHaveBeenMeant() throws {
        let file = try Dotenv(Array("A=1\nA=2\nB=${A}/x\nC='$A'\n".utf8))
        #expect(file.notes.map(\.line) == [2, 3])
        #expect(file.variables["B"] == "${A}/x")
    }

    /// Here, and in a shell.
    @Test func whatIsWrittenIsReadAgain() async throws {
        var random = SplitMix(state: 7)
        let pieces = ["a", " ", "'", "\"", "\\", "$", "`", "\n", "#", "=", "é", "\t", "\\n", "$(x)", "!"]
        var values = [
            "", "plain", "a b", "it's", "'", "\"", "a\\", "line\nline", "tab\tend ", "\r", "a\r\nb",
        ]
        for _ in 0..<500 {
            values.append(
                (0..<Int.random(in: 1...8, using: &random)).map { _ in
                    pieces.randomElement(using: &random) ?? ""
                }
                .joined())
        }
        var text = ""
        for (index, value) in values.enumerated() { text += Dotenv.line("V\(index)", value) + "\n" }
        let read = try read(text)
        for (index, value) in values.enumerated() {
            #expect(read["V\(index)"] == value, "\(Dotenv.line("V", value))")
        }
        let plain = values.filter { !$0.contains("\r") }
        let script = plain.map { Dotenv.line("V", $0) + "\nprintf '%s\\0' \"$V\"\n" }.joined()
        try await TemporaryDirectory.with { directory in
            try script.write(toFile: "\(directory)/env", atomically: true, encoding: .utf8)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["\(directory)/env"]
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let reader = pipe.fileHandleForReading
            let output = await onThread { reader.readDataToEndOfFile() }
            process.waitUntilExit()
            let shell = output.split(separator: 0, omittingEmptySubsequences: false).map {
                String(decoding: $0, as: UTF8.self)
            }
            #expect(Array(shell.dropLast()) == plain)
        }
    }
}
