// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Control

/// Scenario 48: what a push is shown of a flood.
@Suite struct PushViewTests {
    private static let note = " !     more output is not shown here: kinto logs hello\n"
    private static let step = "-----> Starting\n"

    @Test(arguments: [
        (line: "       y\n", each: 1_000, atMost: 10_000),
        (line: "       " + String(repeating: "x", count: 1016) + "\n", each: 64, atMost: 1_024),
    ])
    func aFloodIsCutAndTheStepsStay(_ flood: (line: String, each: Int, atMost: Int)) {
        var view = PushView(command: "kinto logs hello")
        var shown = ""
        for _ in 0..<30 {
            let chunk = String(repeating: flood.line, count: flood.each) + PushViewTests.step
            shown += String(decoding: view.show(Array(chunk.utf8)), as: UTF8.self)
        }
        let lines = shown.split(separator: "\n").map { $0 + "\n" }
        let output = lines.count { $0 == flood.line }
        #expect(output <= flood.atMost && output > flood.atMost * 3 / 4)
        #expect(lines.count { $0 == PushViewTests.step } == 30)
        #expect(lines.count { $0 == PushViewTests.note } == 1)
        #expect(lines.count == output + 31)
    }

    @Test func whatFitsIsShownWhole() {
        var view = PushView(command: "kinto logs hello")
        let chunk = Array(String(repeating: "       line\n", count: 999).utf8)
        for _ in 0..<10 { #expect(view.show(chunk) == chunk) }
    }
}
