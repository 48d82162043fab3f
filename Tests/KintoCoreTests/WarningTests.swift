// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Testing

struct WarningTests {
    @Test func whatIsKeptOfWarningsIsBounded() throws {
        let long = String(repeating: "é\u{301}", count: 5000)
        let one = Warning(
            code: "start-missing", long, evidence: Array(repeating: long, count: 50),
            hint: .init(long, command: long))
        let kept = Warning.kept(Array(repeating: one, count: 50))
        #expect(kept.count == 20)
        for warning in kept {
            let texts = [warning.message, warning.hint?.text ?? "", warning.hint?.command ?? ""]
            #expect(warning.evidence.count == 10)
            #expect(
                (texts + warning.evidence).allSatisfy { $0.utf8.count <= 500 && $0.hasSuffix("é\u{301}…") })
        }
        let short = Warning(code: "memory-low", "little", evidence: ["a"], hint: .init("b"))
        #expect(Warning.kept([short]) == [short])
    }
}
