// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The soak in its short form: what `make soak` shows at length.
@Suite(.timeLimit(.minutes(5)))
struct SoakTests {
    @Test(arguments: [[], ["--broken"]])
    func nothingIsDroppedSeenTwiceOrLeftOver(options: [String]) async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let process = Process()
        process.executableURL = root.appendingPathComponent("scripts/soak")
        process.arguments = ["--deploys", "21"] + options
        process.environment = ProcessInfo.processInfo.environment.merging([
            "KINTO_BIN_DIR": try Products.directory()
        ]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let reader = output.fileHandleForReading
        let text = await onThread { String(decoding: reader.readDataToEndOfFile(), as: UTF8.self) }
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
        #expect(text.hasSuffix("soak: ok\n"), "\(text)")
    }
}
