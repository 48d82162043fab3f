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
            case .success(let manifest): #expect(manifest.start?.isEmpty != true)
            case .failure(let errors): #expect(!errors.rendered.isEmpty)
            }
        }
    }

    @Test(arguments: ["", "-a", "a-", "A", "a/b", "..", "a.b", "é", String(repeating: "a", count: 10_240)])
    func badServiceNamesAreRefused(name: String) {
        #expect(throws: Failure.self) { try ServiceName(name) }
    }
}

/// `processes` and the Procfile.
struct ProcessTypeTests {
    private func parse(_ text: String, _ procfile: String? = nil) throws -> Manifest {
        try Manifest.parse(Array(text.utf8), procfile: procfile.map { Array($0.utf8) }).get()
    }

    @Test func workersHaveTheirDefaults() throws {
        let m = try parse(
            #"{"start":"x","rollout":{"stop":{"grace":"9s"}},"processes":{"worker":{"command":"w"}}}"#)
        let groups = m.groups()
        #expect(groups.map(\.name) == ["web", "worker"])
        #expect(groups[0].worker == nil)
        #expect(groups[1].worker == .init(stable: .seconds(3), overlaps: true))
        #expect(groups[1].names == ["worker.1"])
        #expect(m.stop(of: "worker").grace == .seconds(9))
        #expect(m.unsupported.isEmpty)
    }

    @Test func numbersOfTheOperatorComeFirst() throws {
        let m = try parse(
            #"{"start":"x","processes":{"a":{"command":"a","instances":4},"b":{"command":"b","instances":0}}}"#
        )
        #expect(m.groups(scale: ["a": 0, "web": 2, "b": 1]).flatMap(\.names) == ["web.1", "web.2", "b.1"])
        #expect(m.groups().flatMap(\.names) == ["web.1", "a.1", "a.2", "a.3", "a.4"])
    }

    @Test func whatAProcfileMeansOtherwiseIsTold() throws {
        let m = try parse("{}", "# all\n\nweb: a\nworker node w.js\nWeb: b\n mail: c\nx y: d\nclock:\n")
        #expect(m.start == "b" && m.processes.isEmpty)
        #expect(m.unsupported.map { $0.prefix(23) } == [4, 5, 6, 7, 8].map { "line \($0) of the Procfile " })
        #expect(
            m.unsupported[0].contains("passed over") && m.unsupported[1].contains("says again what 'web' is"))
        // Anything may be called so.
        #expect(try parse(#"{"start":"x"}"#, "# Our procedures\nread this\n").unsupported.isEmpty)
    }

    @Test func theProcfileFillsInWhatKintoJSONDoesNotSay() throws {
        let procfile =
            "web: rails s\r\nrelease: rake db:migrate\n# note: no\nmy_worker: sidekiq\nother: o\nrun: no\n"
        let m = try parse("{}", procfile)
        #expect(m.start == "rails s")
        #expect(m.release?.command == "rake db:migrate")
        #expect(m.groups().flatMap(\.names) == ["web.1", "my_worker.1", "other.1"])
        let own = try parse(
            #"{"start":"mine","release":{"after":"a"},"processes":{"my_worker":{"instances":2},"other":{"command":"p","overlap":"never","stop":{"signal":"INT"}}}}"#,
            procfile)
        #expect(own.start == "mine")
        #expect(own.release?.command == "rake db:migrate")
        #expect(own.release?.after == "a")
        #expect(own.processes["my_worker"]?.command == "sidekiq")
        #expect(own.groups().map(\.instances) == [1, 2, 1])
        #expect(own.processes["other"]?.command == "p")
        #expect(own.groups().last?.worker?.overlaps == false)
        #expect(
            own.stop(of: "other")
                == {
                    var s = Manifest.Stop(); s.signal = 2; return s
                }())
    }

    @Test func webMayStandAmongTheTypes() throws {
        let m = try parse(#"{"processes":{"web":{"command":"x","instances":3}}}"#)
        #expect(m.start == "x")
        #expect(m.rollout.instances == 3)
        #expect(m.processes.isEmpty)
        #expect(try parse(#"{"processes":{"worker":{"command":"w"}}}"#).start == nil)
    }

    @Test(arguments: [
        (#"{"start":"x","processes":{"web":{"command":"y"}}}"#, "take one of the two"),
        (#"{"start":"x","processes":{"release":{"command":"y"}}}"#, "release.command"),
        (#"{"start":"x","processes":{"run":{"command":"y"}}}"#, "another name"),
        (#"{"start":"x","processes":{"a.b":{"command":"y"}}}"#, "is not a process name"),
        (#"{"start":"x","processes":{"a":{}}}"#, "needs a command"),
        (#"{"start":"x","processes":{"a":{"command":"y","overlap":"no"}}}"#, #""always" or "never""#),
        (#"{"start":"x","processes":{"a":{"command":"y","instances":101}}}"#, "0 to 100"),
        (#"{"start":"x","processes":{"a":{"command":"y","instances":100}}}"#, "100 instances in all"),
        (#"{"start":"x","processes":{"web":{"overlap":"never"}}}"#, "unknown key 'processes.web.overlap'"),
        (#"{"processes":{"a":{"command":"y","instances":0,"schedule":"0 3 * * *"}}}"#, "'start' is missing"),
        (#"{"port":3000,"processes":{"a":{"command":"y"}}}"#, "there is no 'start'"),
        (#"{"start":"x","release":{"timeout":"1s"}}"#, "needs a command"),
        (
            #"{"start":"x","processes":{"a":{"command":"y","schedule":"60 * * * *"}}}"#,
            "kinto.json:1:57: processes.a.schedule the minute is from 0 to 59"
        ),
        (
            #"{"start":"x","processes":{"a":{"command":"y","schedule":"30 2 31 2 *"}}}"#,
            "processes.a.schedule never comes"
        ),
        (
            #"{"start":"x","processes":{"a":{"command":"y","schedule":"@daily","timezone":"CET"}}}"#,
            #"kinto.json:1:77: processes.a.timezone must be "UTC" or a zone like "Europe/Berlin""#
        ),
        (
            #"{"start":"x","processes":{"a":{"command":"y","schedule":"@daily","overlap":"never"}}}"#,
            "replace"
        ),
        (
            #"{"start":"x","processes":{"a":{"command":"y","schedule":"@daily","timeout":"0s"}}}"#,
            "more than 0"
        ),
        (
            #"{"start":"x","processes":{"a":{"command":"y","schedule":"@daily","instances":2}}}"#,
            "this one has a schedule"
        ),
        (
            #"{"start":"x","processes":{"a":{"command":"y","timezone":"UTC"}}}"#,
            "timezone is for types with a schedule"
        ),
    ])
    func mistakesAreTold(text: String, message: String) {
        guard case .failure(let errors) = Manifest.parse(Array(text.utf8)) else {
            Issue.record("accepted: \(text)")
            return
        }
        #expect(errors.rendered.contains(message), "\(errors.rendered)")
    }

    @Test func schedulesHaveDefaultsAndAreNoInstances() throws {
        let text =
            #"{"start":"x","processes":{"a":{"command":"y","schedule":" 0  3 * * * "},"b":{"command":"z","schedule":"@daily","timezone":"Asia/Kolkata","overlap":"replace","timeout":"5m","stop":{"grace":"2s"}}},"environments":{"staging":{"processes":{"a":null}}}}"#
        let manifest = try Manifest.parse(Array(text.utf8)).get()
        #expect(manifest.groups().flatMap(\.names) == ["web.1"])
        let scheduled = manifest.scheduled()
        #expect(scheduled.map(\.type) == ["a", "b"])
        #expect(scheduled[0].times == "0 3 * * * UTC")
        #expect(scheduled[0].overlap == .forbid)
        #expect(scheduled[0].timeout == .seconds(3600))
        #expect(scheduled[1].times == "@daily Asia/Kolkata")
        #expect(scheduled[1].overlap == .replace)
        #expect(scheduled[1].stop.grace == .seconds(2))
        let again = try JSONDecoder().decode(Manifest.self, from: JSONEncoder().encode(manifest))
        #expect(again == manifest)
        let staging = try Manifest.parse(Array(text.utf8), environment: "staging").get()
        #expect(staging.scheduled().map(\.type) == ["b"])
        // A release of before runs none.
        var old = manifest
        old.unsupported = ["processes.a.schedule in kinto.json is not acted upon by this version"]
        #expect(old.scheduled().map(\.type) == ["b"])
    }

    /// What an older version kept of releases that it did not run workers of.
    @Test func releasesOfOlderVersionsAreWhatTheyWere() throws {
        let kept =
            #"{"build":{"output":".","cache":[],"timeout":{"milliseconds":1},"silence":{"milliseconds":1},"env":{}},"start":"x","env":{},"probe":{"status":[],"host":"h","timeout":{"milliseconds":1},"interval":{"milliseconds":1},"deadline":{"milliseconds":1},"stable":{"milliseconds":1}},"rollout":{"instances":1,"drain":{"milliseconds":1},"stop":{"signal":15,"grace":{"milliseconds":1}},"watch":{"milliseconds":1},"warm":{"milliseconds":1},"strategy":"rolling"},"release":{"command":"r","timeout":{"milliseconds":1}},"hosts":[],"processes":{"worker":{"command":"w","instances":1}},"requires":[],"root":".","paths":[],"unsupported":["processes in kinto.json is not acted upon by this version"]}"#
        let manifest = try JSONDecoder().decode(Manifest.self, from: Data(kept.utf8))
        #expect(manifest.groups().flatMap(\.names) == ["web.1"])
        #expect(manifest.release?.command == "r")
    }
}
