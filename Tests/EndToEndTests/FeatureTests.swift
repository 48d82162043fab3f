// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// What a kinto.json and the commands promise, each once from end to end.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct FeatureTests {
    @Test func cachesAreKeptBetweenBuildsAndCheckoutsAreClean() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"mkdir -p kept; test ! -e litter; touch litter; echo x >> kept/n; echo built $(wc -l < kept/n) times","cache":["kept"]}}"#
            )
            #expect(try await server.push("1").output.contains("built 1 times"))
            try server.write("note", "2")
            #expect(try await server.push("2").output.contains("built 2 times"))
            #expect(try await server.kinto("deploy", "hello", "--no-cache").output.contains("built 1 times"))
        }
    }

    @Test func severalInstancesShareTheLoadAndOneThatDiesIsStartedAgain() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"instances":2},"hosts":["shop.example.com"]}"#
            )
            try await server.push("first")
            let instances = try #require(
                try await server.releases("hello").first?["instances"] as? [[String: Any]])
            #expect(instances.compactMap { $0["name"] as? String } == ["web.1", "web.2"])
            var pids: Set<String> = []
            try await server.until {
                let text = String(decoding: try await server.get().body, as: UTF8.self)
                pids.insert(String(text.split(separator: " ")[1]))
                return pids.count == 2
            }
            let byName = try await HTTPClient.send(
                .init(
                    url: "http://127.0.0.1:\(server.proxy)/", headers: ["Host: SHOP.example.com"],
                    timeout: 60_000))
            #expect(byName.status == 200)
            // Visitors meet the other one while the first is away.
            let first = try #require(instances[0]["pid"] as? Int)
            kill(Int32(first), SIGKILL)
            try await server.until {
                let now = try await server.releases("hello").first?["instances"] as? [[String: Any]]
                let pid = now?[0]["pid"] as? Int
                return pid != nil && pid != first && now?[0]["restarts"] as? Int == 1
            }
            for _ in 0..<20 { #expect(try await server.get().status == 200) }
        }
    }

    /// The port is free when it is chosen, and not any more when the application wants it.
    @Test func aPortThatIsTakenMeanwhileIsExchangedForAnother() async throws {
        try await Server.with { server in
            try server.touch("first")
            try await server.setUp(
                #"{"start":"if [ -e \#(server.root)/first ]; then rm \#(server.root)/first; echo $PORT > \#(server.root)/port; touch \#(server.root)/chosen; while [ ! -e \#(server.root)/taken ]; do sleep 0.05; done; fi; exec python3 server.py","probe":{"path":"/"}}"#
            )
            let pushing = Task { try await server.push("first") }
            try await server.until { FileManager.default.fileExists(atPath: "\(server.root)/chosen") }
            let text = try String(contentsOfFile: "\(server.root)/port", encoding: .utf8)
            let port = try #require(UInt16(text.trimmingCharacters(in: .whitespacesAndNewlines)))
            let other = try SocketAddress.loopback(port).listen(backlog: 1)
            try server.touch("taken")
            let push = try await pushing.value
            withExtendedLifetime(other) {}
            #expect(push.output.contains("Another program took port \(port) meanwhile"), "\(push.output)")
            #expect(push.output.contains("Release 1 is live"), "\(push.output)")
            #expect(try await server.get().status == 200)
        }
    }

    @Test func aProcfileIsEnoughAndAStablePortStays() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.shell("rm kinto.json; echo 'web: python3 server.py' > Procfile")
            #expect(try await server.push("Procfile").output.contains("Release 1 is live"))
            let port = try FreePort.take()
            try server.write("kinto.json", #"{"start":"python3 server.py","port":\#(port)}"#)
            #expect(try await server.push("port").output.contains("live at http://127.0.0.1:\(port)/"))
            for number in 2...3 {
                let answer = try await HTTPClient.send(
                    .init(url: "http://127.0.0.1:\(port)/", timeout: 60_000))
                #expect(String(decoding: answer.body, as: UTF8.self).hasPrefix("release=\(number) "))
                if number == 2 { try await server.push("again") }
            }
        }
    }

    @Test func aReleaseCommandRunsOnceBeforeTheStartAndItsFailureStopsTheRelease() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"env":{"OUT":"\#(server.root)/migrated"},"release":{"command":"echo $KINTO_RELEASE >> $OUT"}}"#
            )
            try await server.push("first")
            #expect(try String(contentsOfFile: "\(server.root)/migrated", encoding: .utf8) == "1\n")
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","release":{"command":"echo no such table; exit 2"}}"#)
            let push = try await server.push("bad migration")
            #expect(push.output.contains("the release command failed with exit code 2"), "\(push.output)")
            let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "release-exit")
            #expect((failure?["evidence"] as? [String])?.contains("no such table") == true)
            #expect(String(decoding: try await server.get().body, as: UTF8.self).hasPrefix("release=1 "))
            let why = try await server.kinto("why", "hello")
            #expect(
                why.output.contains("Release 2 failed at store: the release command failed"), "\(why.output)")
        }
    }

    @Test func logsAreFollowedLiveAndKeptWithTheRelease() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"echo hello from $KINTO_RELEASE; exec python3 server.py","build":{"command":"for i in 1 2 3; do echo step $i; sleep 0.2; done"}}"#
            )
            try await server.push("first")
            try server.write("note", "2")
            try await server.push("second")
            #expect(try await server.kinto("logs", "hello", "--build").output.contains("step 3"))
            for number in 1...2 {
                // What was printed is written a moment later.
                try await server.until {
                    try await server.kinto("logs", "hello", "--console", "--release", "\(number)").output
                        .contains("hello from \(number)")
                }
            }
            // A follower sees a deploy as it happens: the first step before the last is there.
            let deploy = Task { try await server.kinto("deploy", "hello", "--no-cache") }
            try await server.until { try await server.releases("hello").count == 3 }
            let log = try await server.kinto("logs", "hello", "--release", "3", "--build", "-f")
            #expect(log.output.contains("step 1"))
            #expect(log.output.contains("Release 3 is live"))
            #expect(try await deploy.value.status == 0)
        }
    }

    /// Scenario 6. With the server away as well: the proxy has its routes from its own snapshot, and a supervisor of its own.
    @Test func aKilledProxyComesBackByItself() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            func proxy() async throws -> Int? {
                let status = try await server.json("status", "--json") as? [String: Any]
                return (status?["proxy"] as? [String: Any])?["pid"] as? Int
            }
            let first = try #require(try await proxy())
            kill(Int32(first), SIGKILL)
            try await server.until { (try? await server.get().status) == 200 }
            // The server learns of it from its supervisor, as it happens.
            try await server.until { try await proxy() ?? first != first }
            let second = try #require(try await proxy())
            _ = server.stop()
            kill(Int32(second), SIGKILL)
            try await server.until { (try? await server.get().status) == 200 }
            try await server.serve()
            try await server.until { try await proxy() ?? second != second }
            #expect(try await server.push("next").output.contains("Release 2 is live"))
            #expect(String(decoding: try await server.get().body, as: UTF8.self).hasPrefix("release=2 "))
        }
    }

    @Test func waitingEndsWhenItWasToldTo() async throws {
        try await Server.with { server in
            let go = "\(server.root)/go"
            try await server.setUp(
                #"{"start":"python3 server.py","build":{"command":"while [ ! -e \#(go) ]; do sleep 0.05; done"}}"#
            )
            try server.touch("go")
            try await server.push("first")
            try FileManager.default.removeItem(atPath: go)
            let waited = try await server.kinto(
                "deploy", "hello", "--no-cache", "--wait-timeout", "300ms")
            #expect(waited.status == 6, "\(waited.output)")
            #expect(waited.output.contains("release 2 still runs after 300ms"))
            #expect(try await server.kinto("deploy", "hello", "--wait-timeout", "soon").status == 2)
            try server.touch("go")
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
        }
    }

    @Test func tagsAreToldToDoNothingAndOneOfTheWaitingPushesIsEnough() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"while [ ! -e \#(server.root)/go ]; do sleep 0.05; done"}}"#
            )
            try server.touch("go")
            try await server.push("first")
            try await server.git("tag", "v1")
            let tag = try await server.git("push", "\(server.home)/repos/hello.git", "v1")
            #expect(tag.status == 0)
            #expect(tag.output.contains("ignored"), "\(tag.output)")
            #expect(try await server.releases("hello").count == 1)
            // Of three pushes in a row the second waits, and the third takes its place.
            try FileManager.default.removeItem(atPath: "\(server.root)/go")
            let pushes = try await (2...4).asyncMap { number in
                try server.write("note", "\(number)")
                try await server.git("add", "-A")
                try await server.git("commit", "-q", "-m", "\(number)")
                let commit = try await server.git("rev-parse", "HEAD").output.prefix(40)
                let push = Task {
                    try await server.git(
                        "push", "\(server.home)/repos/hello.git", "\(commit):refs/heads/main")
                }
                try await server.until { try await server.releases("hello").count == number }
                return push
            }
            try server.touch("go")
            for push in pushes { #expect(try await push.value.status == 0) }
            let statuses = try await server.releases("hello").compactMap { $0["status"] as? String }
            #expect(statuses == ["deployed", "superseded", "deployed", "deployed"])
            #expect(try await server.releases("hello")[1]["supersededBy"] as? Int == 4)
        }
    }
}

extension Sequence {
    fileprivate func asyncMap<T>(_ body: (Element) async throws -> T) async throws -> [T] {
        var result: [T] = []
        for element in self { result.append(try await body(element)) }
        return result
    }
}
