// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The messages that mutations begin with, and what the fuzzer once found.
enum Corpus {
    static func messages() throws -> [[UInt8]] {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = tests.appendingPathComponent("Fuzz/Corpus")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") }
            .sorted()
            .map { Array(try Data(contentsOf: folder.appendingPathComponent($0))) }
    }
}
