// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

/// The program that git runs, with no server to talk to.
struct HookClientTests {
    private func hook(
        _ kind: String, input: [UInt8], home: String, environment: [String: String] = [:]
    ) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try Products.directory() + "/kinto-runtime")
        process.arguments = ["hook", kind, "--home", home, "--service", "hello"]
        process.environment = environment
        let output = Pipe()
        // A file, for the program may leave before it has read all.
        let path = "/tmp/kinto-hook-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Files.replace(path, with: input, durable: false)
        process.standardInput = FileHandle(forReadingAtPath: path)
        unlink(path)
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let reader = output.fileHandleForReading
        let text = await onThread { String(decoding: reader.readDataToEndOfFile(), as: UTF8.self) }
        await onThread { process.waitUntilExit() }
        #expect(process.terminationReason == .exit)
        return (process.terminationStatus, text)
    }

    private let update = Array(
        "0000000000000000000000000000000000000000 1111111111111111111111111111111111111111 refs/heads/main\n"
            .utf8)

    @Test func aPushWithoutAServerIsKept() async throws {
        try await TemporaryDirectory.with { home in
            let (status, output) = try await hook(
                "post-receive", input: update, home: home,
                environment: ["GIT_PUSH_OPTION_COUNT": "1", "GIT_PUSH_OPTION_0": "no-cache"])
            #expect(status == 0)
            #expect(output.contains("the push is kept and is deployed when it starts"))
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(home)/spool")
            #expect(names.count == 1 && names[0].hasSuffix(".trigger"))
            let kept = try Fields(decoding: Files.read("\(home)/spool/\(names[0])"))
            #expect(kept["service"] == "hello")
            #expect(kept["update"]?.hasSuffix("refs/heads/main") == true)
            #expect(kept["option"] == "no-cache")
        }
    }

    @Test func aPushThatCannotBeKeptIsTold() async throws {
        try await TemporaryDirectory.with { directory in
            let (status, output) = try await hook("post-receive", input: update, home: "/proc/none")
            #expect(status == 0)
            #expect(output.contains("could NOT be kept"))
            #expect(output.contains("kinto deploy hello"))
            _ = directory
        }
    }

    @Test func beforeTheRefMovesNothingIsRefusedWithoutAServer() async throws {
        try await TemporaryDirectory.with { home in
            let (status, output) = try await hook("pre-receive", input: update, home: home)
            #expect(status == 0)
            #expect(output.contains("kinto.json is checked when it is back"))
        }
    }

    @Test(arguments: ["pre-receive", "post-receive"])
    func whateverComesInNothingTraps(kind: String) async throws {
        try await TemporaryDirectory.with { home in
            var generator = SystemRandomNumberGenerator()
            let inputs: [[UInt8]] = [
                [], [0x0A], [0xFF, 0xFE], Array("no newline".utf8),
                Array(repeating: 0x61, count: 10 << 20), Array(repeating: 0x0A, count: 1 << 20),
                Array(repeating: 0x61, count: 20 << 20),
                (0..<5000).map { _ in UInt8.random(in: 0...255, using: &generator) },
            ]
            for input in inputs {
                let (status, _) = try await hook(
                    kind, input: input, home: home,
                    environment: ["GIT_PUSH_OPTION_COUNT": "99999999999999999999"])
                #expect(status == 0)
            }
        }
    }
}
