// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The tour of examples/shop: two services of one repository, staging and production, promoted, broken and rolled back under
/// load.
@Suite(.timeLimit(.minutes(10)))
struct ShopTests {
    @Test func theTourLosesNoRequest() async throws {
        let process = Process()
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        process.executableURL = root.appending(path: "examples/shop/tour")
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["KINTO_BIN_DIR": try Products.directory()]) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let reader = pipe.fileHandleForReading
        let output = String(decoding: await onThread { reader.readDataToEndOfFile() }, as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(output.suffix(6000))")
        #expect(output.contains("all of it was so"))
    }
}
