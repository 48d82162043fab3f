// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A project that fails, with what its tool really printed: see `scripts/capture-failures`.
public struct FailureFixture: Sendable {
    public let name: String
    private let keys: [String: String]
    /// By path; programs are executable.
    public let files: [(path: String, text: String, isProgram: Bool)]
    public let output: String

    public subscript(key: String) -> String { keys[key] ?? "" }
    public var exit: Int32 { Int32(self["exit"]) ?? 1 }
    public var isBuild: Bool { self["stage"] == "build" }

    public static let all: [FailureFixture] = {
        let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Failures")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        return names.filter { $0.hasSuffix(".txt") }.sorted().compactMap { name in
            (try? String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)).map {
                FailureFixture(String(name.dropLast(4)), $0)
            }
        }
    }()

    init(_ name: String, _ text: String) {
        self.name = name
        let halves = text.components(separatedBy: "\n--- output\n")
        output = halves.dropFirst().joined(separator: "\n--- output\n")
        let parts = halves[0].components(separatedBy: "\n--- ")
        keys = Dictionary(
            parts[0].split(separator: "\n").compactMap { line in
                line.range(of: ": ").map { (String(line[..<$0.lowerBound]), String(line[$0.upperBound...])) }
            }, uniquingKeysWith: { $1 })
        files = parts.dropFirst().map { part in
            let end = part.firstIndex(of: "\n") ?? part.endIndex
            let title = part[..<end].split(separator: " ", maxSplits: 1)
            return (
                String(title.last ?? ""),
                part[end...].dropFirst().replacingOccurrences(of: "<CR>", with: "\r") + "\n",
                title.first == "program"
            )
        }
    }

    /// Puts the project into a directory.
    public func write(to directory: String) throws {
        for file in files {
            let path = "\(directory)/\(file.path)"
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try file.text.write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: file.isProgram ? 0o755 : 0o644], ofItemAtPath: path)
        }
    }
}
