// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Testing

struct SealedTextTests {
    @Test func opensWithItsPassphraseAndForItsPlaceOnly() throws {
        let sealed = try SealedText("words", passphrase: "correct horse", for: "here")
        #expect(try sealed.open(passphrase: "correct horse", for: "here") == "words")
        for (phrase, place) in [("correct horsf", "here"), ("correct horse", "there"), ("", "here")] {
            let failure = try #require(throws: Failure.self) {
                try sealed.open(passphrase: phrase, for: place)
            }
            #expect(failure.code == "passphrase-wrong")
        }
        let short = try #require(throws: Failure.self) {
            try SealedText("x", passphrase: "123456789", for: "")
        }
        #expect(short.code == "passphrase-short")
        #expect(try SealedText("words", passphrase: "correct horse", for: "here") != sealed)
    }

    /// Nobody's file makes this take hours, or all memory.
    @Test(arguments: [#""rounds":1125899906842624"#, #""rounds":131071"#, #""rounds":-1"#])
    func doesNotWorkAsHardAsAFileWants(_ rounds: String) throws {
        let text = """
            {"kdf":"scrypt","cipher":"AES-256-GCM",\(rounds),"blockSize":8,"parallelism":1,"salt":"AAAA",
             "data":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
            """
        let sealed = try JSONDecoder().decode(SealedText.self, from: Data(text.utf8))
        #expect(throws: Failure.self) { try sealed.open(passphrase: "correct horse", for: "here") }
    }
}
