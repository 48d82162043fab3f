// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KintoCore

struct StageTimesTests {
    private func times(_ builds: [Double?]) -> StageTimes {
        // Newest first.
        StageTimes(
            builds.enumerated().map { index, build in
                (builds.count - index, build.map { ["build": $0, "queue": 5, "drain": 7] } ?? ["probe": 3])
            })
    }

    @Test func usualIsTheMedianOfTheLastTenThatHadTheStage() {
        #expect(times([4, 1, 9]).usual() == ["build": 4])
        #expect(times([4, 1]).usual().isEmpty)
        #expect(times([4, 1]).usual(least: 1) == ["build": 2.5])
        #expect(times([]).usual().isEmpty)
        // Rollbacks say nothing of builds, and do not push them out.
        #expect(times([nil, nil, nil, 4, 1, 9]).usual() == ["build": 4, "probe": 3])
        #expect(times([Double?](repeating: 1, count: 10) + [900, 900]).usual() == ["build": 1])
        // Only what came before counts.
        #expect(times([100, 100, 100, 2, 2, 2]).usual(before: 4) == ["build": 2])
        #expect(times([2, 2, 2]).usual(before: 1).isEmpty)
    }

    @Test func slowIsTwiceAsLongAndASecondAtLeast() {
        #expect(
            StageTimes.slow(["build": 250_000, "fetch": 40], usual: ["build": 38_000, "fetch": 4]) == [
                "build took 4m10s, usually 38s"
            ])
        #expect(StageTimes.slow(["build": 75_000], usual: ["build": 38_000]).isEmpty)
        #expect(StageTimes.slow(["build": 250_000], usual: [:]).isEmpty)
    }

    @Test(arguments: [
        (0.4, "0ms"), (999.0, "999ms"), (1000, "1.0s"), (3810, "3.8s"), (9949, "9.9s"), (9950, "10s"),
        (59_400, "59s"),
        (59_600, "1m00s"), (250_000, "4m10s"), (3_599_600, "1h00m"), (3_725_000, "1h02m"), (.infinity, "?"),
    ]) func lengthsAreShort(time: Double, words: String) { #expect(StageTimes.words(time) == words) }
}

struct ForeignTests {
    @Test(arguments: [
        ("builds", "build.command"), ("scripts", "npm's"), ("dockerfile", "no images"),
        ("env_file", "kinto config NAME set"),
        ("healthcheck", "probe.path"), ("replicas", "rollout.instances"), ("formation", "rollout.instances"),
        ("release_command", "release.command"), ("prot", "did you mean 'port'"), ("cache", "build.cache"),
    ]) func keysOfOtherToolsAreTranslated(key: String, words: String) {
        guard case .failure(let errors) = Manifest.parse(Array("{\"start\":\"x\",\"\(key)\":{}}".utf8)) else {
            Issue.record("accepted: \(key)")
            return
        }
        #expect(
            errors.rendered.contains("unknown key '\(key)'") && errors.rendered.contains(words),
            "\(errors.rendered)")
    }

    @Test func allOfItIsWhatWasPassedAndWhatIsToCome() {
        let usual = ["fetch": 1000.0, "build": 30_000, "start": 500, "swap": 10]
        #expect(StageTimes.whole(usual, passed: [:], at: nil) == 31_510)
        #expect(StageTimes.whole(usual, passed: ["fetch": 900], at: .build) == 31_510)
        #expect(StageTimes.whole(usual, passed: ["queue": 5, "fetch": 900], at: .start) == 1510)
        #expect(StageTimes.whole([:], passed: [:], at: .build) == nil)
    }

    private func warning(_ files: [String: String]) -> Warning? {
        ForeignFiles.warning { files[$0].map { Array($0.utf8) } }
    }

    @Test func filesOfOtherToolsAreNoticed() {
        #expect(warning([:]) == nil)
        #expect(warning(["Procfile": "web: x"]) == nil)
        #expect(warning(["package.json": "{}"]) == nil)
        let docker = warning([
            "Dockerfile": "FROM x\nCMD [\"node\", \"server.js\"]\n", "docker-compose.yml": "",
        ])
        #expect(
            docker?.message
                == "there is Dockerfile (Docker), docker-compose.yml (Docker Compose), which kinto does not read"
        )
        #expect(docker?.hint?.text == #"begin with a kinto.json like { "start": "node server.js" }"#)
        #expect(
            warning(["Dockerfile": "CMD echo \"hi\""])?.hint?.text
                == #"begin with a kinto.json like { "start": "echo \"hi\"" }"#)
        let broken = warning(["Dockerfile": "CMD [\"broken\n", "fly.toml": ""])
        #expect(broken != nil && broken?.hint == nil)
        #expect(
            warning(["package.json": #"{"scripts":{"start":"x"}}"#])?.hint?.text.contains("npm start") == true
        )
    }
}
