// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Several environments of one service, by real pushes.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct EnvironmentTests {
    private static let settings = #"""
        {"start":"python3 server.py","probe":{"path":"/"},"env":{"GREETING":"base"},
         "rollout":{"drain":"1s","warm":"0s","watch":"0s","stop":{"grace":"5s"}},
         "environments":{"staging":{"env":{"GREETING":"staged"}}}}
        """#

    @Test func onePushDeploysEachEnvironmentThatItFits() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            #expect(try await server.kinto("environment", "add", "hello", "staging").status == 0)
            let qa = try await server.kinto("environment", "add", "hello", "qa", "--branch", "refs/tags/v*")
            #expect(qa.output.contains("hello/qa deploys tags 'v*'"), "\(qa.output)")
            // Two branches in one push: a release of each, and each is named.
            try await server.commit("first")
            let both = try await server.pushTo("HEAD:main", "HEAD:staging")
            #expect(both.output.contains("kinto: release 1 of hello/production"), "\(both.output)")
            #expect(both.output.contains("kinto: release 1 of hello/staging"))
            #expect(both.output.contains("Release 1 is live at http://hello--staging.localhost:"))
            #expect(try await server.text("hello.localhost").hasSuffix(" base"))
            #expect(try await server.text("hello--staging.localhost").hasSuffix(" staged"))
            #expect(try await server.releases("hello", "qa").isEmpty)
            // One branch: the other environment stays. Numbers are each one's own.
            try await server.commit("second")
            #expect(try await server.pushTo("HEAD:staging").output.contains("release 2 of hello/staging"))
            #expect(try await server.releases("hello").count == 1)
            // A tag, annotated: what is deployed is its commit.
            let commit = try await server.git("rev-parse", "HEAD").output.prefix(40)
            try await server.git("tag", "-a", "-m", "one", "v1.0")
            try await server.git("tag", "other")
            let tags = try await server.pushTo("v1.0", "other")
            #expect(tags.output.contains("release 1 of hello/qa"), "\(tags.output)")
            #expect(tags.output.contains("ignored tag 'other'"))
            let tagged = try #require(try await server.releases("hello", "qa").first)
            #expect(tagged["commit"] as? String == String(commit))
            #expect(tagged["branch"] as? String == "tags/v1.0")
            #expect(tagged["status"] as? String == "deployed")
            // What is deployed last is deployed again by hand.
            #expect(try await server.kinto("deploy", "hello", "-e", "qa", "--no-cache").status == 0)
            // A deletion deploys nothing and stops nothing.
            let gone = try await server.pushTo(":staging", ":v1.0")
            #expect(gone.output.contains("branch 'staging' was deleted; what runs stays"), "\(gone.output)")
            #expect(gone.output.contains("tag 'v1.0' was deleted; what runs stays"))
            #expect(try await server.text("hello--staging.localhost").hasPrefix("release=2 "))
            #expect(try await server.releases("hello", "staging").count == 2)
            let status = try await server.kinto("status", "hello")
            for name in ["production", "staging", "qa"] { #expect(status.output.contains(name)) }
        }
    }

    @Test func eachEnvironmentHasItsOwnConfigurationAndCommands() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "main")
            try await server.commit("first")
            #expect(try await server.pushTo("HEAD:main").output.contains("release 1 of hello/staging"))
            let set = try await server.kinto("config", "hello", "set", "GREETING=mine", "-e", "staging")
            #expect(set.status == 0, "\(set.output)")
            #expect(try await server.text("hello--staging.localhost").hasPrefix("release=2 "))
            #expect(try await server.text("hello--staging.localhost").hasSuffix(" mine"))
            #expect(try await server.text("hello.localhost").hasSuffix(" base"))
            #expect(try await server.kinto("config", "hello").output.isEmpty)
            #expect(try await server.kinto("scale", "hello", "2", "-e", "staging").status == 0)
            #expect(try await server.releases("hello", "staging").first?.instances == 2)
            #expect(try await server.releases("hello").first?.instances == 1)
            let back = try await server.kinto("rollback", "hello", "--environment", "staging")
            #expect(back.status == 0, "\(back.output)")
            #expect(try await server.text("hello--staging.localhost").hasSuffix(" staged"))
            #expect(try await server.kinto("suspend", "hello", "-e", "staging").status == 0)
            #expect(try await server.get(host: "hello--staging.localhost").status == 503)
            #expect(try await server.get().status == 200)
            #expect(try await server.kinto("resume", "hello", "-e", "staging").status == 0)
            // Gone with all it had, and nothing of the others.
            let removed = try await server.kinto("environment", "remove", "hello", "staging", "--yes")
            #expect(removed.status == 0, "\(removed.output)")
            #expect(try await server.get(host: "hello--staging.localhost").status == 404)
            #expect(try await server.kinto("releases", "hello", "-e", "staging").status == 3)
            let gone = try await server.kinto("environment", "show", "hello", "staging").output
            #expect(gone.contains("kinto environment list hello"), "\(gone)")
            let bad = try await server.kinto("environment", "add", "hello", "Bad").output
            #expect(bad.contains("'Bad' is not an environment name"), "\(bad)")
            #expect(!FileManager.default.fileExists(atPath: "\(server.home)/services/hello/staging"))
            #expect(try await server.kinto("rollback", "hello").status == 3)
            #expect(try await server.get().status == 200)
            let production = try await server.kinto("environment", "remove", "hello", "production", "--yes")
            #expect(production.output.contains("kinto service remove hello --yes"), "\(production.output)")
        }
    }

    @Test func whatIsProtectedOrOffIsDeployedByHandOnly() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto(
                "environment", "add", "hello", "staging", "--branch", "main", "--auto-deploy", "off")
            try await server.kinto("environment", "set", "hello", "production", "--protect", "on")
            try await server.commit("first")
            let push = try await server.pushTo("HEAD:main")
            #expect(
                push.output.contains("hello/production is protected: pushes do not deploy it"),
                "\(push.output)")
            #expect(push.output.contains("kinto deploy hello --confirm hello/production"))
            #expect(push.output.contains("automatic deploys of hello/staging are off"))
            #expect(try await server.releases("hello").isEmpty)
            let commit = String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            let answer = try await server.deliver(
                commit, to: "hello", id: "1", secret: server.webhookSecret)
            #expect(answer.status == 200)
            #expect((answer.body["ignored"] as? String)?.contains("is protected") == true, "\(answer.body)")
            let deliveries = try await server.json("deliveries", "hello", "--json") as? [[String: Any]]
            let verdict = deliveries?.first?["verdict"] as? String ?? ""
            #expect(verdict.contains("production: ignored: hello/production is protected"), "\(verdict)")
            #expect(verdict.contains("staging: ignored: automatic deploys of hello/staging are off"))
            #expect(try await server.kinto("deploy", "hello", "-e", "staging").status == 0)
            let plain = try await server.kinto("deploy", "hello")
            #expect(plain.status == 3)
            #expect(plain.output.contains("--confirm hello/production"), "\(plain.output)")
            #expect(try await server.kinto("deploy", "hello", "--confirm", "hello").status == 3)
            #expect(try await server.releases("hello").isEmpty)
            let typed = try await server.kinto(
                "deploy", "hello", "-e", "production", "--confirm", "hello/production")
            #expect(typed.status == 0, "\(typed.output)")
            #expect(try await server.text("hello.localhost").hasPrefix("release=1 "))
        }
    }

    @Test func aDeliveryIsOneReleaseOfEachEnvironment() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "m*")
            try await server.commit("first")
            try await server.git("push", "-q", "\(server.home)/repos/hello.git", "HEAD:refs/heads/elsewhere")
            let commit = String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            try await server.git(
                "--git-dir", "\(server.home)/repos/hello.git", "update-ref", "refs/heads/main", commit)
            let answers = try await withThrowingTaskGroup(of: (Int, [String: String]).self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        let (status, body) = try await server.deliver(
                            commit, to: "hello", id: "same", secret: server.webhookSecret)
                        let also = (body["also"] as? [[String: Any]])?.first
                        return (
                            status,
                            [
                                "production": "\(body["release"] ?? "")",
                                also?["environment"] as? String ?? "-": "\(also?["release"] ?? "")",
                            ]
                        )
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { $0.0 == 202 } == 1)
            #expect(answers.first { $0.0 == 202 }?.1 == ["production": "1", "staging": "1"])
            try await server.until {
                let first = try await server.releases("hello").first
                let second = try await server.releases("hello", "staging").first
                return first?["live"] as? Bool == true && second?["live"] as? Bool == true
            }
            #expect(try await server.releases("hello").count == 1)
            #expect(try await server.releases("hello", "staging").count == 1)
            let deliveries = try await server.json("deliveries", "hello", "--json") as? [[String: Any]]
            #expect(
                deliveries?.map { $0["verdict"] as? String } == [
                    "production: queued as release 1; staging: queued as release 1"
                ])
        }
    }

    @Test func twoEnvironmentsDoNotGetTheSameAddress() async throws {
        try await Server.with { server in
            let port = try FreePort.take()
            func settings(_ staging: String) -> String {
                #"{"start":"python3 server.py","hosts":["www.example.com"],"port":\#(port),"environments":{"staging":\#(staging)}}"#
            }
            try await server.setUp(settings("{}"))
            try await server.kinto("environment", "add", "hello", "staging")
            try await server.commit("first")
            #expect(try await server.pushTo("HEAD:main").output.contains("Release 1 is live"))
            let host = try await server.pushTo("HEAD:staging")
            #expect(
                host.output.contains("host www.example.com belongs to service hello/production")
                    || host.output.contains("port \(port) belongs to service hello/production"),
                "\(host.output)")
            #expect(
                host.output.contains(#"give staging its own in kinto.json: "environments": { "staging": {"#))
            try server.write("kinto.json", settings(#"{"hosts":[]}"#))
            try await server.commit("no host")
            let taken = try await server.pushTo("HEAD:staging")
            #expect(
                taken.output.contains("port \(port) belongs to service hello/production"), "\(taken.output)")
            // null takes a key of the whole away.
            try server.write("kinto.json", settings(#"{"hosts":[],"port":null}"#))
            try await server.commit("no port")
            #expect(try await server.pushTo("HEAD:staging").output.contains("Release 3 is live"))
            #expect(try await server.text("www.example.com").hasPrefix("release=1 "))
            #expect(try await server.text("hello--staging.localhost").hasPrefix("release=3 "))
        }
    }

    /// Nothing is lost and nothing is twice when the server dies between the record of a push and its answer.
    @Test func aCrashInTheMiddleLosesNoEnvironment() async throws {
        // The first body is that of the check before the push.
        for point in ["body-read:kill@2", "queued:kill", "answered:kill"] {
            try await Server.with { server in
                try await server.setUp(Self.settings)
                try await server.kinto("environment", "add", "hello", "staging", "--branch", "ma*")
                server.end(with: SIGTERM)
                try await server.serve(variables: ["KINTO_FAULT=\(point)"])
                try await server.commit("first")
                let push = try await server.pushTo("HEAD:main")
                #expect(push.status == 0, "\(push.output)")
                // It is dead, but for the last point, which it reaches when the push has its answer.
                server.end(with: SIGKILL)
                try await server.serve()
                try await server.until {
                    let first = try await server.releases("hello").first
                    let second = try await server.releases("hello", "staging").first
                    return first?["live"] as? Bool == true && second?["live"] as? Bool == true
                }
                #expect(try await server.releases("hello").count == 1, "\(point)")
                #expect(try await server.releases("hello", "staging").count == 1, "\(point)")
            }
        }
    }

    /// While one runs, the newest of those that wait comes next, in each environment by itself.
    @Test func theOrderIsKeptWithinEachEnvironment() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","build":{"command":"while [ ! -e \#(server.root)/$KINTO_ENVIRONMENT ]; do sleep 0.05; done"},"rollout":{"warm":"0s","watch":"0s","drain":"1s"}}"#
            )
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "*")
            var pushes: [Task<Server.Result, any Error>] = []
            for number in 1...4 {
                try server.write("note", "\(number)")
                try await server.commit("\(number)")
                let commit = try await server.git("rev-parse", "HEAD").output.prefix(40)
                let branch = number == 4 ? "other" : "main"
                pushes.append(
                    Task { try await server.pushTo("\(commit):refs/heads/\(branch)") })
                try await server.until { try await server.releases("hello", "staging").count == number }
            }
            // Production goes on while staging waits.
            try server.touch("production")
            try await server.until {
                let newest = try await server.releases("hello").first
                return newest?["live"] as? Bool == true && newest?["status"] as? String == "deployed"
            }
            func ends(_ environment: String) async throws -> [String] {
                try await server.releases("hello", environment).compactMap { $0["status"] as? String }
                    .reversed()
            }
            #expect(try await ends("production") == ["deployed", "superseded", "deployed"])
            #expect(try await ends("staging") == ["deploying", "superseded", "superseded", "queued"])
            try server.touch("staging")
            for push in pushes { #expect(try await push.value.status == 0) }
            #expect(try await ends("staging") == ["deployed", "superseded", "superseded", "deployed"])
            #expect(try await server.releases("hello", "staging").first?["branch"] as? String == "other")
        }
    }

    @Test func whatIsLiveInOneEnvironmentIsPromotedToAnother() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"""
                {"start":"python3 server.py","requires":["TOKEN"],
                 "build":{"command":"echo b >> \#(server.root)/builds; echo made > made"},
                 "release":{"command":"echo $KINTO_ENVIRONMENT >> \#(server.root)/commands"},
                 "rollout":{"drain":"1s","warm":"0s","watch":"0s"},
                 "environments":{"staging":{"env":{"GREETING":"staged"}},"production":{"env":{"GREETING":"produced"}},"stagin":{}}}
                """#)
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "main")
            try await server.kinto("environment", "set", "hello", "production", "--protect", "on")
            let check = try await server.kinto("check", server.work, "--service", "hello")
            #expect(check.status == 2)
            #expect(
                check.output.contains("settings for 'stagin', and hello has no such environment"),
                "\(check.output)")
            let early = try await server.kinto("promote", "hello", "staging", "production")
            #expect(early.status == 3)
            #expect(early.output.contains("nothing of hello/staging is live"), "\(early.output)")
            try await server.kinto("config", "hello", "set", "TOKEN=staging", "--secret", "-e", "staging")
            try await server.commit("first")
            let push = try await server.pushTo("HEAD:main")
            #expect(push.output.contains("Release 1 is live"), "\(push.output)")
            #expect(push.output.contains("settings for 'stagin', and hello has no such environment"))
            let refused = try await server.kinto("promote", "hello", "staging", "production")
            #expect(refused.status == 3)
            #expect(refused.output.contains("lacks variables that are required: TOKEN"), "\(refused.output)")
            #expect(
                refused.output.contains("kinto config hello set --secret TOKEN=…"), "\(refused.output)")
            #expect(try await server.releases("hello").isEmpty)
            try await server.kinto("config", "hello", "set", "TOKEN=production", "EXTRA=1")
            let dry = try await server.kinto("promote", "hello", "staging", "production", "--dry-run")
            #expect(dry.status == 0, "\(dry.output)")
            for line in ["first", "configuration ~ TOKEN", "configuration + EXTRA"] {
                #expect(dry.output.contains(line), "\(dry.output)")
            }
            #expect(try await server.releases("hello").isEmpty)
            let promoted = try await server.kinto("promote", "hello", "staging", "production")
            #expect(promoted.status == 0, "\(promoted.output)")
            #expect(try await server.text("hello.localhost").hasSuffix(" produced"))
            let (here, there) = (
                try #require(try await server.releases("hello").first),
                try #require(try await server.releases("hello", "staging").first)
            )
            #expect(here["trigger"] as? String == "promote")
            #expect(here["commit"] as? String == there["commit"] as? String)
            let artifacts = [here, there].map { ($0["artifact"] as? [String: Any])?["sha256"] as? String }
            #expect(artifacts[0] == artifacts[1])
            let builds = try String(contentsOfFile: "\(server.root)/builds", encoding: .utf8)
            #expect(builds == "b\n")
            let commands = try String(contentsOfFile: "\(server.root)/commands", encoding: .utf8)
            #expect(commands == "staging\nproduction\n")
            let again = try await server.kinto("promote", "hello", "staging", "production")
            #expect(again.output.contains("is live with this artifact already"), "\(again.output)")
            // Where it came from goes: the artifact stays, for the release that has it.
            #expect(try await server.kinto("environment", "remove", "hello", "staging", "--yes").status == 0)
            try await server.kinto("suspend", "hello")
            #expect(try await server.kinto("resume", "hello").status == 0)
            #expect(try await server.text("hello.localhost").hasSuffix(" produced"))
        }
    }

    @Test func aPromotionThatWaitsForTheSameOneIsNotMade() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"""
                {"start":"python3 server.py",
                 "release":{"command":"echo $KINTO_ENVIRONMENT >> \#(server.root)/commands; test $KINTO_ENVIRONMENT = staging || until test -e \#(server.root)/go; do sleep 0.05; done"},
                 "rollout":{"drain":"1s","warm":"0s","watch":"0s"}}
                """#)
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "stage")
            try await server.commit("first")
            #expect(try await server.pushTo("HEAD:stage").output.contains("Release 1 is live"))
            for _ in 0..<2 {
                let promoted = try await server.kinto(
                    "promote", "hello", "staging", "production", "--detach")
                #expect(promoted.status == 0, "\(promoted.output)")
            }
            #expect(try await server.releases("hello").count == 2)
            try server.write("../go", "")
            try await server.until {
                try await server.releases("hello").allSatisfy { $0["finishedAt"] is String }
            }
            let outcome = try await server.releases("hello").reversed()
            #expect(outcome.map { $0["status"] as? String } == ["deployed", "superseded"])
            #expect(outcome.last?["supersededBy"] as? Int == 1)
            let commands = try String(contentsOfFile: "\(server.root)/commands", encoding: .utf8)
            #expect(commands == "staging\nproduction\n")
            let log = try await server.kinto("logs", "hello", "--release", "2", "--build").output
            #expect(
                log.contains("release 1 is live with this commit and configuration already"), "\(log)")
        }
    }

    /// From a repository that is fetched: the right reference, an annotated tag too, two environments at once.
    @Test func branchesAndTagsOfARemoteRepositoryAreFetched() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            let origin = "\(server.root)/origin.git"
            try await server.git("init", "-q", "--bare", "-b", "main", origin)
            let added =
                try await server.json(
                    "service", "add", "far", "--repo", "file://\(origin)", "--branch", "feature/**",
                    "--provider", "github", "--json") as? [String: Any]
            let secret = try #require((added?["webhook"] as? [String: Any])?["secret"] as? String)
            try await server.kinto("environment", "add", "far", "qa", "--branch", "tags/v*")
            try await server.kinto("environment", "add", "far", "next", "--branch", "feature/a/*")
            try await server.commit("first")
            try await server.git("tag", "-a", "-m", "one", "v1")
            try await server.git(
                "push", "-q", origin, "HEAD:refs/heads/feature/a/b", "HEAD:refs/heads/main", "v1")
            let commit = String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            let object = String(try await server.git("rev-parse", "v1").output.prefix(40))
            #expect(commit != object)
            let branch = try await server.deliver(
                commit, to: "far", id: "1", secret: secret, reference: "refs/heads/feature/a/b")
            #expect(branch.status == 202, "\(branch.body)")
            #expect((branch.body["also"] as? [Any])?.count == 1)
            let tag = try await server.deliver(
                object, to: "far", id: "2", secret: secret, reference: "refs/tags/v1")
            #expect(tag.status == 202, "\(tag.body)")
            #expect(tag.body["environment"] as? String == "qa")
            for (environment, name) in [
                ("production", "feature/a/b"), ("next", "feature/a/b"), ("qa", "tags/v1"),
            ] {
                try await server.until {
                    try await server.releases("far", environment).first?["finishedAt"] is String
                }
                let release = try #require(try await server.releases("far", environment).first)
                #expect(release["status"] as? String == "deployed", "\(release)")
                #expect(release["commit"] as? String == commit)
                #expect(release["branch"] as? String == name)
            }
            let other = try await server.deliver(
                commit, to: "far", id: "3", secret: secret, reference: "refs/heads/main")
            #expect(other.status == 200)
            #expect(
                (other.body["ignored"] as? String)?.contains("qa deploys tags 'v*'") == true, "\(other.body)")
            // Of a pattern the repository's own branch is looked at.
            let check = try await server.kinto("service", "check", "far")
            #expect(check.output.contains("The branch is at \(commit.prefix(7))"), "\(check.output)")
        }
    }
}

extension [String: Any] {
    fileprivate var instances: Int? { (self["instances"] as? [Any])?.count }
}

extension Server {
    func releases(_ name: String, _ environment: String) async throws -> [[String: Any]] {
        try await json("releases", name, "-e", environment, "--json") as? [[String: Any]] ?? []
    }

    func text(_ host: String) async throws -> String {
        String(decoding: try await get(host: host).body, as: UTF8.self)
    }

    func commit(_ message: String) async throws {
        try await git("add", "-A")
        try await git("commit", "-q", "--allow-empty", "-m", message)
    }

    /// Pushes what the refspecs say to the repository of the service `hello`.
    func pushTo(_ references: String...) async throws -> Result {
        try await run(
            "/usr/bin/git", ["-C", work, "push", "\(home)/repos/hello.git"] + references)
    }
}
