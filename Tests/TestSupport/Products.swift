// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Where the build put the executables: beside the test bundle.
public enum Products {
    /// - Throws: when they were not built.
    public static func directory() throws -> String {
        precondition(TestProcess.outlivesItsReaders)
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        for argument in CommandLine.arguments + [own] {
            var directory = URL(fileURLWithPath: argument).deletingLastPathComponent()
            for _ in 0..<5 {
                if FileManager.default.isExecutableFile(atPath: directory.path + "/kinto-runtime") {
                    return directory.path
                }
                directory.deleteLastPathComponent()
            }
        }
        throw Trouble("the executables are not beside the tests")
    }

    /// For scripts: that of the tests, and where the executables are.
    public static func environment() throws -> [String] {
        let own = ProcessInfo.processInfo.environment.filter { $0.key != "KINTO_BIN_DIR" }
        return own.map { "\($0)=\($1)" } + ["KINTO_BIN_DIR=\(try directory())"]
    }
}

/// Why a test cannot go on.
public struct Trouble: Error, CustomStringConvertible {
    public let description: String
    public init(_ text: String) { description = text }
}
