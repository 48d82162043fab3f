// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Supervisor
@testable import Wire

/// Scenario 50: secrets in output.
struct RedactorTests {
    static let secret = #"c4n4ry/S3cr3t+"quoted"&'it's'?= ü$end"#
    static let pem =
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgc4n4ry+line/1\n"
        + "Zm9vYmFyYmF6cXV4c4n4ry/line2+abcdefghijklmnopqrstuvwxyz0123456789\n-----END PRIVATE KEY-----\n"

    static let wide = "c4n4ry-in-two-bytes-each"

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let text: String
        /// What must not be seen of it: its middle, if nothing else is said.
        let canary: String

        init(_ name: String, _ text: String, canary: String? = nil) {
            self.name = name
            self.text = text
            let line = text.replacing("\n", with: "")
            self.canary = canary ?? String(line.dropFirst(line.count / 2).prefix(6))
        }
        var testDescription: String { name }
    }

    static let cases: [Case] = {
        let data = Data(secret.utf8)
        let wrapped = Data(String(repeating: "header;", count: 5).utf8) + data + Data("tail tail tail".utf8)
        func url(_ base64: String) -> String {
            base64.replacing("+", with: "-").replacing("/", with: "_")
        }
        func hex(_ format: String) -> String { data.map { String(format: format, $0) }.joined() }
        func percent(_ allowed: CharacterSet) -> String {
            secret.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
        }
        let unreserved = CharacterSet(charactersIn: "-._~").union(
            .alphanumerics.intersection(.init(charactersIn: "\0"..."\u{7F}")))
        let upper = percent(unreserved)
        let lower = upper.replacing(#/%[0-9A-F]{2}/#) { $0.output.lowercased() }
        let json = (try? JSONEncoder().encode([secret])).map { String(decoding: $0, as: UTF8.self) } ?? ""
        func shifted(_ count: Int) -> String {
            (Data("xy".utf8.prefix(count)) + data + Data("z".utf8)).base64EncodedString()
        }
        // As `base32` of GNU coreutils and Python's base64.b32encode write it.
        let base32 = "MM2G4NDSPEXVGM3DOIZXIKZCOF2W65DFMQRCMJ3JOQTXGJZ7HUQMHPBEMVXGI==="
        let shifted32 = "PB4HQYZUNY2HE6JPKMZWG4RTOQVSE4LVN52GKZBCEYTWS5BHOMTT6PJAYO6CIZLOMQ======"
            .replacing("=", with: "")
        let ascii = json.replacing("\\/", with: "/").replacing("ü", with: "\\u00fc")
        let go = json.replacing("\\/", with: "/").replacing("&", with: "\\u0026")
        let inner = json.replacing("\\/", with: "/")
        let twice = inner.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        let shell = secret.replacing("'", with: "'\\''")
        let html = secret.replacing("&", with: "&amp;").replacing("\"", with: "&quot;").replacing(
            "'", with: "&#39;")
        return [
            Case("plain", secret),
            Case("base32", base32),
            Case("base32, three bytes before, lower case", String(shifted32.dropLast(1)).lowercased()),
            Case("JSON of Python", ascii), Case("JSON of Go", go), Case("JSON in JSON", twice),
            Case(
                "base64 in a query",
                shifted(0).replacing("+", with: "%2B").replacing("/", with: "%2F")
                    .replacing("=", with: "%3D")),
            Case("bytes", data.map { "\($0)" }.joined(separator: ", ")),
            Case("bytes of Go", data.map { "\($0)" }.joined(separator: " ")),
            Case("hex with colons", data.map { String(format: "%02x", $0) }.joined(separator: ":")),
            Case("base64", shifted(0)), Case("base64, one byte before", shifted(1)),
            Case("base64, two bytes before", shifted(2)), Case("base64 for URLs", url(shifted(0))),
            Case(
                "base64 over lines",
                wrapped.base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])),
            Case("percent, upper case", upper, canary: "%2FS3cr3t"),
            Case("percent, lower case", lower, canary: "%2fS3cr3t"),
            Case("form", upper.replacing("%20", with: "+"), canary: "S3cr3t%2B"),
            Case("JSON", json), Case("JSON without escaped slashes", json.replacing("\\/", with: "/")),
            Case("shell quotes", "'\(shell)'", canary: "S3cr3t"),
            Case(
                "double quotes", secret.replacing("\"", with: "\\\"").replacing("$", with: "\\$")),
            Case("hex", hex("%02x")), Case("hex, upper case", hex("%02X")), Case("HTML", html),
            Case(
                "with colours", "c4n4ry/\u{1B}[1;31mS3cr\u{1B}[0m3t\(secret.dropFirst(13))", canary: "c4n4ry"),
            Case("UTF-16", wide.map { "\($0)\0" }.joined(), canary: "4n4ry"),
            Case("PEM", pem, canary: "c4n4ry"),
            Case("PEM, indented", pem.replacing("\n", with: "\n    "), canary: "c4n4ry"),
            Case("PEM in JSON", pem.replacing("\n", with: "\\n"), canary: "c4n4ry"),
        ]
    }()

    @Test(arguments: cases)
    func noFormOfASecretIsSeenWhereverTheOutputIsSplit(form: Case) throws {
        let text = Array("before <\(form.text)> after\n".utf8)
        let whole = shown([text])
        #expect(whole.hasPrefix("before <"), "\(whole)")
        #expect(whole.hasSuffix("> after"), "\(whole)")
        #expect(whole.contains("[redacted]"), "\(whole)")
        #expect(!whole.contains(form.canary), "\(whole)")
        for split in 1..<text.count {
            #expect(shown([Array(text[..<split]), Array(text[split...])]) == whole)
            // A pause there uncovers nothing either.
            let paused = shown([Array(text[..<split]), Array(text[split...])], pauses: true)
            #expect(!paused.replacing("\n", with: "").contains(form.canary), "\(split): \(paused)")
        }
        #expect(shown(text.map { [$0] }) == whole)
    }

    @Test func whatLooksLikeTheBeginningOfASecretIsShownInTheEnd() {
        for end in 1..<RedactorTests.secret.utf8.count {
            let start = String(decoding: RedactorTests.secret.utf8.prefix(end), as: UTF8.self)
            #expect(shown([Array("a \(start)".utf8)]) == "a \(start)")
            #expect(shown([Array("a \(start)!".utf8)]) == "a \(start)!")
        }
    }

    @Test func secretsThatOverlapAreAllCovered() {
        var redactor = Redactor(["abcdefgh", "efghijkl", "fg-abcdefgh"])
        let text = redactor.feed(Array("xabcdefghijkly fg-abcdefg ".utf8)) + redactor.flush()
        #expect(String(decoding: text, as: UTF8.self) == "x[redacted]y fg-abcdefg ")
    }

    @Test func aLongSecretIsCoveredWithoutHoldingItAllBack() {
        let secret = (0..<20_000).map { String($0 % 97, radix: 36) }.joined()
        var redactor = Redactor([secret])
        var text: [UInt8] = []
        for byte in Array("<\(secret)>".utf8) {
            text += redactor.feed([byte])
        }
        text += redactor.flush()
        #expect(String(decoding: text, as: UTF8.self) == "<[redacted]>")
        let code = Data("{\"a\":\"\(secret)\"}".utf8).base64EncodedString(options: .lineLength76Characters)
        let seen = String(decoding: redactor.feed(Array(code.utf8)) + redactor.flush(), as: UTF8.self)
        #expect(seen.count < 40, "\(seen)")
    }

    @Test func passwordsInURLsAreNotSeenWhosoeverTheyAre() {
        let text = """
            fatal: unable to access 'https://alice:s3same-open@example.com/a.git/': 401
            postgres://app:p@ss:w0rd@db:5432/app https://ghp_0123456789@github.com/x ssh://git@example.com/y
            redis://:only@cache amqp://guest:@mq http://example.com/a:b@c mailto:a@b kinto_\(String(repeating: "0af9", count: 16))!
            """
        let expected = """
            fatal: unable to access 'https://alice:[redacted]@example.com/a.git/': 401
            postgres://app:[redacted]@db:5432/app https://[redacted]@github.com/x ssh://git@example.com/y
            redis://:[redacted]@cache amqp://guest:@mq http://example.com/a:b@c mailto:a@b kinto_[redacted]!
            """
        #expect(shown([Array(text.utf8)], secrets: []) == expected)
    }

    @Test func thePasswordOfAURLIsASecretOfItsOwn() {
        let seen = shown(
            [Array("user app, password s3same/open (s3same%2Fopen)\n".utf8)],
            secrets: ["postgres://app:s3same%2Fopen@db/app"])
        #expect(seen == "user app, password [redacted] ([redacted])")
    }

    /// One that knows all the secrets, to be copied: making it takes longer than a test.
    private static let prepared = {
        var cleaner = OutputCleaner(secrets: [secret, pem, wide])
        _ = cleaner.feed([0x0A], now: 0)
        return cleaner
    }()

    private func shown(_ parts: [[UInt8]], pauses: Bool = false, secrets: [String]? = nil) -> String {
        var cleaner = secrets.map { OutputCleaner(secrets: $0) } ?? RedactorTests.prepared
        var lines: [String] = []
        for part in parts {
            lines += cleaner.feed(part, now: 0).texts
            if pauses { lines += cleaner.pause(now: 0).texts }
        }
        lines += cleaner.finish(now: 0).texts
        return lines.joined(separator: "\n")
    }
}
