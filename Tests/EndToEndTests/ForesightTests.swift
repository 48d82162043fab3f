// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// Warnings before the failure, the plan of a deploy, and what was slow, through a real server.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct ForesightTests {
    @Test func aPushWarnsAndFailsBeforeWhatCannotGoWell() async throws {
        try await Server.with { server in
            try await server.setUp()
            try server.write(
                "listen.py", "import http.server\nhttp.server.HTTPServer((\"127.0.0.1\", 8899), None)\n")
            try server.write(
                "server.py", Server.application.replacingOccurrences(of: "\"PORT\"", with: "\"PO\" + \"RT\""))
            let first = try await server.push("hard-coded")
            #expect(first.output.contains("Release 1 is live"), "\(first.output)")
            #expect(
                first.output.contains(
                    "Warning: it listens on port 8899 by itself, and nothing in it reads PORT (port-hard-coded)"
                ),
                "\(first.output)")
            #expect(first.output.contains("| listen.py:2: http.server.HTTPServer"), "\(first.output)")
            let kept = try await warnings(server, 1)
            #expect(kept.map { $0["code"] as? String } == ["port-hard-coded"], "\(kept)")
            #expect((kept.first?["evidence"] as? [String])?.first?.hasPrefix("listen.py:2: ") == true)
            let page = try await Visitor(server, ["token": server.adminToken]).get(
                "/services/hello/production/releases/1")
            #expect(
                page.text.contains("Warned before its build") && page.text.contains("port-hard-coded")
                    && page.text.contains("listen.py:2: http.server"), "\(page.text)")

            // Sure after the build: nothing is started, and what was live serves.
            try server.write(
                "kinto.json",
                #"{"start":"./bin/server --now","build":{"command":"mkdir bin; touch bin/serve"}}"#)
            let second = try await server.push("start is missing")
            #expect(
                second.output.contains("start runs ./bin/server, which is not in the artifact"),
                "\(second.output)")
            #expect(second.output.contains("| in its directory: serve"), "\(second.output)")
            #expect(!second.output.contains("Starting web.1"), "\(second.output)")
            let failure = try await server.releases("hello")[0]["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "start-not-found")
            #expect(failure?["stage"] as? String == "start")
            #expect(String(decoding: try await server.get().body, as: UTF8.self).hasPrefix("release=1 "))

            // No release command runs for what cannot start, but one may make what is started.
            try server.write(
                "kinto.json",
                #"{"start":"./made","release":{"command":"printf '#!/bin/sh\nexec python3 server.py\n' > made; chmod +x made"}}"#
            )
            let third = try await server.push("made by the release command")
            #expect(
                third.output.contains(
                    "Warning: start runs ./made, which the commit does not have (start-missing)"),
                "\(third.output)")
            #expect(third.output.contains("Release 3 is live"), "\(third.output)")

            // Keys of other tools, refused with their meaning; and files of theirs without a kinto.json.
            try server.write("kinto.json", #"{"start":"x","scripts":{},"healthcheck":"/"}"#)
            let keys = try await server.push("other keys")
            #expect(
                keys.status != 0
                    && keys.output.contains("that is npm's; did you mean 'build.command' and 'start'?"),
                "\(keys.output)")
            #expect(keys.output.contains("did you mean 'probe.path'?"), "\(keys.output)")
            try await server.git("rm", "-q", "kinto.json")
            try server.write("Dockerfile", "FROM python\nCMD [\"python3\", \"server.py\"]\n")
            let files = try await server.push("no kinto.json")
            #expect(
                files.status != 0
                    && files.output.contains("there is Dockerfile (Docker), which kinto does not read"),
                "\(files.output)")
            #expect(
                files.output.contains("it looks like Python (server.py); this kinto.json fits it:"),
                "\(files.output)")
            let check = try await server.kinto("check", server.work)
            #expect(
                check.status == 2 && check.output.contains("there is Dockerfile (Docker)"), "\(check.output)")
        }
    }

    private func warnings(_ server: Server, _ number: Int) async throws -> [[String: Any]] {
        let release =
            try await server.json("releases", "hello", "\(number)", "--json") as? [String: Any] ?? [:]
        return release["warnings"] as? [[String: Any]] ?? []
    }

    @Test func memoryForTheNextOneIsMeasuredAtTheOneThatRuns() async throws {
        try await Server.with(["--memory-reserve", "16384GiB"]) { server in
            try await server.setUp()
            let first = try await server.push("nothing runs yet")
            #expect(first.status == 0 && !first.output.contains("memory-low"), "\(first.output)")
            #expect(try await warnings(server, 1).isEmpty)
            let second = try await server.push("beside the first")
            #expect(second.output.contains("Release 2 is live"), "\(second.output)")
            #expect(
                second.output.contains(", and 0 MiB are available (memory-low)")
                    && second.output.contains("| 16777216 MiB are kept for others"), "\(second.output)")
            let kept = try await warnings(server, 2)
            #expect(kept.map { $0["code"] as? String } == ["memory-low"], "\(kept)")
            // What it says is what the process has: Python takes some MiB.
            let words = (kept.first?["message"] as? String)?.split(separator: " ").map(String.init) ?? []
            #expect(
                words.prefix(3) == ["release", "1", "uses"] && Int(words.dropFirst(3).first ?? "") ?? 0 > 2)
            let detail = try await server.kinto("releases", "hello", "2")
            #expect(detail.output.contains("Warning: release 1 uses "), "\(detail.output)")
            // One that is stopped first needs no room beside it.
            try server.write(
                "kinto.json", #"{"start":"python3 server.py","rollout":{"strategy":"recreate"}}"#)
            let third = try await server.push("recreate")
            #expect(third.status == 0 && !third.output.contains("memory-low"), "\(third.output)")
        }
    }

    @Test func aProxyThatStandsStillIsToldBeforeTheBuild() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let go = "\(server.root)/go"
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","build":{"command":"while [ ! -e \#(go) ]; do sleep 0.05; done"}}"#
            )
            let proxy = Int32(try await server.proxyStatus()["pid"] as? Int ?? 0)
            #expect(proxy > 1)
            guard proxy > 1 else { return }
            kill(proxy, SIGSTOP)
            let pushing = Task { try await server.push("second") }
            do {
                try await server.until {
                    try await server.kinto("logs", "hello", "--release", "2", "--build").output.contains(
                        "(proxy-unreachable)")
                }
            } catch {
                kill(proxy, SIGCONT)
                throw error
            }
            kill(proxy, SIGCONT)
            try server.touch("go")
            let push = try await pushing.value
            #expect(push.output.contains("Release 2 is live"), "\(push.output)")
            let kept = try await warnings(server, 2)
            #expect(kept.map { $0["code"] as? String } == ["proxy-unreachable"], "\(kept)")
            #expect((kept.first?["hint"] as? [String: Any])?["command"] as? String == "kinto doctor")
            #expect(String(decoding: try await server.get().body, as: UTF8.self).hasPrefix("release=2 "))
        }
    }

    @Test func checkWarnsAsDataToo() async throws {
        try await Server.with { server in
            try await server.setUp()
            try server.write(
                "db.py", "import os\nurl = os.environ['DATABASE_URL']\nkey = os.environ['API_KEY']\n")
            try server.write("kinto.json", #"{"start":"python3 server.py","requires":["DATABASE_URL"]}"#)
            try await server.kinto("config", "hello", "set", "API_KEY=abcdefgh")
            let unknown = try await server.json("check", server.work, "--json") as? [String: Any] ?? [:]
            #expect(unknown["valid"] as? Bool == true)
            let warnings = unknown["warnings"] as? [[String: Any]] ?? []
            #expect(warnings.map { $0["code"] as? String } == ["variable-unset"], "\(warnings)")
            #expect(
                (warnings.first?["evidence"] as? [String])?.first
                    == "API_KEY at db.py:3: key = os.environ['API_KEY']")
            let known =
                try await server.json("check", server.work, "--json", "--service", "hello") as? [String: Any]
                ?? [:]
            let required = known["warnings"] as? [[String: Any]] ?? []
            #expect(required.map { $0["code"] as? String } == ["required-unset"], "\(required)")
            try server.write("kinto.json", #"{"start":5,"builds":[]}"#)
            let bad = try await server.kinto("check", server.work, "--json")
            #expect(bad.status == 2 && bad.output.contains("did you mean 'build.command'?"), "\(bad.output)")
            #expect(bad.output.contains("\"column\" : 10"), "\(bad.output)")
        }
    }

    @Test func aPlanSaysWhatADeployDoesAndChangesNothing() async throws {
        try await Server.with { server in
            try await server.setUp()
            func plan(_ words: String...) async throws -> [String: Any] {
                let process = try await server.run(
                    "\(server.bin)/kinto",
                    ["deploy", "hello", "--plan", "--json", "--home", server.home] + words)
                return try JSONSerialization.jsonObject(with: Data(process.output.utf8)) as? [String: Any]
                    ?? [:]
            }
            #expect(try await server.kinto("deploy", "hello", "--plan").status == 3)
            try await server.push("first")
            var answer = try await plan()
            #expect(answer["verdict"] as? String == "already-live")
            answer = try await plan("--force")
            #expect(answer["verdict"] as? String == "deploys")
            let artifact = answer["artifact"] as? [String: Any]
            #expect(artifact?["reused"] as? Bool == true && artifact?["from"] as? Int == 1, "\(answer)")
            var stages = (answer["steps"] as? [[String: Any]] ?? []).compactMap { $0["stage"] as? String }
            #expect(stages == ["fetch", "store", "start", "probe", "swap", "drain"])
            answer = try await plan("--no-cache")
            stages = (answer["steps"] as? [[String: Any]] ?? []).compactMap { $0["stage"] as? String }
            #expect(stages == ["fetch", "build", "store", "start", "probe", "swap", "drain"])
            #expect(answer["expected"] as? Double ?? 0 > 0)
            #expect(answer["url"] as? String == "http://hello.localhost:\(server.proxy)/")

            let text = try await server.kinto("deploy", "hello", "--plan", "--force")
            #expect(text.status == 0 && text.output.contains("Would deploy "), "\(text.output)")
            #expect(
                text.output.contains(
                    "no build: the artifact of release 1 is taken (same tree and build settings)"),
                "\(text.output)")
            #expect(text.output.contains("Nothing was queued or changed."), "\(text.output)")

            // What would fail, with its code; `-o skip` moves the branch and deploys nothing.
            try server.write("kinto.json", #"{"start":"python3 missing.py","requires":["DATABASE_URL"]}"#)
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "second")
            try await server.git("push", "-o", "skip", "\(server.home)/repos/hello.git", "HEAD:main")
            answer = try await plan()
            #expect(answer["verdict"] as? String == "fails", "\(answer)")
            #expect((answer["failure"] as? [String: Any])?["code"] as? String == "variables-missing")
            #expect(
                (answer["warnings"] as? [[String: Any]])?.first?["code"] as? String == "start-missing",
                "\(answer)")
            let failing = try await server.kinto("deploy", "hello", "--plan")
            #expect(
                failing.status == 1 && failing.output.contains("kinto config hello set DATABASE_URL=…"),
                "\(failing.output)")

            #expect(try await server.kinto("deploy", "hello", "--plan", "--ref", "nosuch").status == 3)
            // A commit that the branch does not contain.
            try await server.git("checkout", "-q", "-b", "other", "HEAD~1")
            try server.write("o", "o")
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "other")
            try await server.git("push", "\(server.home)/repos/hello.git", "HEAD:other")
            answer = try await plan("--ref", "other")
            #expect(
                (answer["failure"] as? [String: Any])?["code"] as? String == "commit-unreachable", "\(answer)"
            )
            try await server.git("checkout", "-q", "main")
            #expect(try await server.releases("hello").count == 1)

            // Behind one that runs and one that waits.
            try server.write("kinto.json", #"{"start":"python3 server.py","build":{"command":"sleep 3000"}}"#)
            try await server.git("commit", "-q", "-a", "-m", "third")
            try await server.git("push", "-o", "skip", "\(server.home)/repos/hello.git", "HEAD:main")
            try await server.kinto("deploy", "hello", "--detach")
            try await server.until { try await server.releases("hello")[0]["stage"] as? String == "build" }
            try await server.kinto("deploy", "hello", "--detach", "--force")
            answer = try await plan("--force")
            let queue = answer["queue"] as? [String: Any]
            #expect(queue?["position"] as? Int == 1 && queue?["after"] as? [Int] == [2], "\(answer)")
            #expect(queue?["replaces"] as? [Int] == [3], "\(answer)")
            #expect(try await server.releases("hello").count == 3)
            try await server.kinto("abort", "hello", "3")
            try await server.kinto("abort", "hello", "2")
        }
    }

    @Test func thePlanOfARemoteRepositoryFetchesNothing() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "far")
            try await server.git("clone", "-q", "--bare", server.work, "\(server.root)/far.git")
            let commit = try await server.git("rev-parse", "HEAD").output.trimmingCharacters(in: .newlines)
            try await server.kinto("service", "add", "far", "--repo", "file://\(server.root)/far.git")
            var plan = try await server.json("deploy", "far", "--plan", "--json") as? [String: Any] ?? [:]
            #expect(plan["commit"] as? String == commit, "\(plan)")
            #expect(
                (plan["reason"] as? String)?.contains("its settings are read when it is fetched") == true,
                "\(plan)")
            #expect(plan["verdict"] as? String == "deploys" && plan["artifact"] == nil, "\(plan)")
            let object = "\(server.home)/repos/far.git/objects/\(commit.prefix(2))/\(commit.dropFirst(2))"
            #expect(!FileManager.default.fileExists(atPath: object))
            #expect(try await server.releases("far").isEmpty)
            #expect(try await server.kinto("deploy", "far").status == 0)
            plan = try await server.json("deploy", "far", "--plan", "--json") as? [String: Any] ?? [:]
            #expect(plan["verdict"] as? String == "already-live", "\(plan)")
            try FileManager.default.removeItem(atPath: "\(server.root)/far.git")
            let gone = try await server.kinto("deploy", "far", "--plan")
            #expect(gone.status == 3 && gone.output.contains("far.git"), "\(gone.output)")
        }
    }

    @Test func slowStagesAndCachesAreTold() async throws {
        try await Server.with { server in
            try await server.setUp()
            func settings(_ command: String) -> String {
                #"{"start":"python3 server.py","rollout":{"warm":"0s","watch":"0s","stop":{"grace":"5s"}},"build":{"cache":["kept"],"command":"\#(command)"}}"#
            }
            try server.write("kinto.json", settings("mkdir -p kept; head -c 3000000 /dev/urandom > kept/x"))
            let first = try await server.push("1")
            #expect(first.output.contains("cache kept: miss, nothing is kept of it yet"), "\(first.output)")
            let second = try await server.push("2")
            #expect(second.output.contains("Taking the artifact of release 1"), "\(second.output)")
            for number in 3...4 {
                try server.write("n", "\(number)")
                let push = try await server.push("\(number)")
                #expect(push.output.contains("cache kept: hit, 2 MiB"), "\(push.output)")
                // Of builds two are not enough to know what is usual; other stages are as slow as the machine is.
                #expect(!push.output.contains(number == 3 ? "usually" : "build took"), "\(push.output)")
            }
            // Slow is what is slow on a machine that may be so itself.
            let builds = try await server.releases("hello").compactMap {
                ($0["timings"] as? [String: Double])?["build"]
            }
            try server.write("kinto.json", settings("sleep \(4 + Int((builds.max() ?? 0) / 250))"))
            let slow = try await server.push("slow")
            #expect(
                slow.output.contains("build took ") && slow.output.contains(", usually "), "\(slow.output)")
            let number = try await server.releases("hello")[0]["number"] as? Int ?? 0
            let release =
                try await server.json("releases", "hello", "\(number)", "--json") as? [String: Any] ?? [:]
            let (took, usual) = (
                release["timings"] as? [String: Double] ?? [:], release["usual"] as? [String: Double] ?? [:]
            )
            #expect(took["build"] ?? 0 > 2 * (usual["build"] ?? .infinity), "\(release)")
            #expect(usual["drain"] == nil)
            let detail = try await server.kinto("releases", "hello", "\(number)")
            #expect(detail.output.contains(" !     build  "), "\(detail.output)")
            let why = try await server.kinto("why", "hello", "\(number)")
            #expect(why.output.contains("  build took "), "\(why.output)")
        }
    }
}
