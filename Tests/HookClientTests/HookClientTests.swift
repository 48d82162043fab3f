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
        try await HookProcess(kind, input: input, home: home, environment: environment).ended()
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

    @Test func aPushThatIsTooLargeIsTold() async throws {
        try await TemporaryDirectory.with { home in
            let (status, output) = try await hook(
                "post-receive", input: Array(repeating: 0x61, count: 17 << 20), home: home)
            #expect(status == 0)
            #expect(output.contains(" !     kinto could not read the push"))
            #expect(output.contains("kinto deploy hello"))
        }
    }

    @Test(arguments: [
        [], ["pre-receive"], ["update", "--home", "/", "--service", "x"], ["post-receive", "--home"],
        ["post-receive", "--home", "/", "--service"],
    ])
    func whatItIsNotMeantForIsRefused(arguments: [String]) async throws {
        let (status, output) = try await HookProcess(arguments: arguments, input: []).ended()
        #expect(status == 2 << 8)
        #expect(output.contains("usage: kinto-runtime hook"))
    }
}
