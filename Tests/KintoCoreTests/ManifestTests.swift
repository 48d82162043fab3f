// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import KintoCore

struct ManifestTests {
    private func example() throws -> [UInt8] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return Array(try Data(contentsOf: root.appendingPathComponent("examples/kinto.json")))
    }

    @Test func exampleIsValid() throws {
        let manifest = try Manifest.parse(try example()).get()
        #expect(manifest.start == "node server.js")
        #expect(manifest.port == 3000)
        #expect(manifest.build.memory == 2 << 30)
        #expect(manifest.processes["nightly"]?.schedule == "0 3 * * *")
        let staging = try Manifest.parse(try example(), environment: "staging").get()
        #expect(staging.env == ["LOG_LEVEL": "debug"])
    }

    @Test func defaultsAreTheDocumentedOnes() throws {
        let m = try Manifest.parse(Array(#"{"start":"x"}"#.utf8)).get()
        #expect(m == Manifest(start: "x"))
        #expect(m.probe.deadline == .seconds(60))
        #expect(m.rollout.drain == .seconds(30))
        #expect(m.build.timeout == .seconds(900))
    }

    @Test(arguments: [
        ("", 1, 1, "empty"),
        ("{", 1, 1, "never closed"),
        (#"{"start":"x","prot":1}"#, 1, 14, "did you mean 'port'"),
        (#"{"start":"x","port":0}"#, 1, 21, "1 to 65535"),
        (#"{"start":"x","port":"80; id"}"#, 1, 21, "whole number"),
        (#"{"start":"x","start":"y"}"#, 1, 14, "second time"),
        ("{\n  \"start\": 5\n}", 2, 12, "must be a string"),
        (#"{"start":"x","build":[]}"#, 1, 22, "must be an object"),
        (#"{"start":"x","probe":{"timeout":5}}"#, 1, 33, "needs a unit"),
        (#"{"start":"x","build":{"output":"../etc"}}"#, 1, 32, "without '..'"),
        (#"{"start":"x","env":{"PORT":"1"}}"#, 1, 21, "set by kinto"),
        (#"{"start":"x"} trailing"#, 1, 15, "after the end"),
        (#"{"start":"\ud800"}"#, 1, 11, "surrogate"),
        (#"{"port":99999999999999999999999}"#, 1, 9, "whole number"),
        ("{}", 1, 1, "'start' is missing"),
    ])
    func mistakesAreToldWithTheirPlace(text: String, line: Int, column: Int, message: String) throws {
        guard case .failure(let errors) = Manifest.parse(Array(text.utf8)) else {
            Issue.record("accepted: \(text)")
            return
        }
        #expect(
            errors.diagnostics.contains {
                $0.line == line && $0.column == column && $0.message.contains(message)
            }, "\(errors.rendered)")
    }

    @Test func allMistakesAreToldAtOnce() {
        let text = #"{"prot":1,"build":{"timeout":3},"hosts":["a b"]}"#
        guard case .failure(let errors) = Manifest.parse(Array(text.utf8)) else {
            Issue.record("accepted")
            return
        }
        #expect(errors.diagnostics.count == 4)
        #expect(errors.rendered.contains("kinto.json:1:2: unknown key 'prot'"))
    }

    @Test func deepNestingAndInvalidTextAreRefused() {
        for bytes in [
            Array(repeating: UInt8(ascii: "["), count: 200_000), [0xFF, 0xFE, 0x00],
            Array("{\"start\":\"".utf8) + [0xC3, 0x28], Array(repeating: 0x20, count: 300_000),
        ] {
            if case .success = Manifest.parse(bytes) { Issue.record("accepted") }
        }
    }

    @Test func mutatedTextNeverTraps() throws {
        var generator = SplitMix(state: 42)
        let original = try example()
        for _ in 0..<3000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &generator)], at: index)
                }
            }
            switch Manifest.parse(bytes) {
            case .success(let manifest): #expect(!manifest.start.isEmpty)
            case .failure(let errors): #expect(!errors.rendered.isEmpty)
            }
        }
    }

    @Test(arguments: ["", "-a", "a-", "A", "a/b", "..", "a.b", "é", String(repeating: "a", count: 10_240)])
    func badServiceNamesAreRefused(name: String) {
        #expect(throws: Failure.self) { try ServiceName(name) }
    }
}
