// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Every door that brings a push, and environments that come and go meanwhile.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct EnvironmentDoorTests {
    private static let settings = #"""
        {"start":"python3 server.py","probe":{"path":"/"},
         "rollout":{"drain":"1s","warm":"0s","watch":"0s","stop":{"grace":"5s"}}}
        """#

    private func head(_ server: Server) async throws -> String {
        String(try await server.git("rev-parse", "HEAD").output.prefix(40))
    }

    /// Pushed for a commit to be there that no push deploys.
    private func stage(_ server: Server, _ message: String) async throws -> String {
        try server.write("note", message)
        try await server.commit(message)
        let commit = try await head(server)
        try await server.git("push", "-q", "\(server.home)/repos/hello.git", "HEAD:refs/heads/elsewhere")
        try await server.git(
            "--git-dir", "\(server.home)/repos/hello.git", "update-ref", "refs/heads/main", commit)
        return commit
    }

    @Test func namesThatLeadToOneHostAreRefused() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","hosts":["hello--x.localhost"],"rollout":{"warm":"0s","watch":"0s"}}"#
            )
            try await server.kinto("service", "add", "hello--staging")
            let environment = try await server.kinto("environment", "add", "hello", "staging")
            #expect(environment.status == 3, "\(environment.output)")
            #expect(
                environment.output.contains(
                    "host hello--staging.localhost belongs to service hello--staging/production"),
                "\(environment.output)")
            #expect(environment.output.contains("choose another name"))
            #expect(!(try await server.kinto("environment", "list", "hello").output.contains("staging")))
            try await server.kinto("environment", "add", "hello", "qa")
            let service = try await server.kinto("service", "add", "hello--qa")
            #expect(service.status == 3, "\(service.output)")
            #expect(!FileManager.default.fileExists(atPath: "\(server.home)/repos/hello--qa.git"))
            #expect(!(try await server.kinto("service", "list").output.contains("hello--qa")))
            // A name that a release has by its settings.
            #expect(try await server.push("first").output.contains("Release 1 is live"))
            #expect(try await server.kinto("environment", "add", "hello", "x").status == 3)
            // Those that stay are there after a restart, and their names are free when they are gone.
            server.end(with: SIGTERM)
            try await server.serve()
            #expect(try await server.kinto("service", "remove", "hello--staging", "--yes").status == 0)
            #expect(try await server.kinto("environment", "add", "hello", "staging").status == 0)
        }
    }

    @Test func anEnvironmentThatGoesMeanwhileHoldsUpNoOther() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            server.end(with: SIGTERM)
            // The first and the third decision wait before they are recorded.
            let (one, three) = ("\(server.root)/one", "\(server.root)/three")
            try await server.serve(
                variables: ["KINTO_FAULT=decided:hold=\(one)@1,decided:hold=\(three)@3"])
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "main")
            let commit = try await stage(server, "first")
            async let delivered = server.deliver(
                commit, to: "hello", id: "1", secret: server.webhookSecret)
            try await server.until { Files.exists("\(one).held") }
            #expect(try await server.kinto("environment", "remove", "hello", "staging", "--yes").status == 0)
            try server.touch("one")
            let answer = try await delivered
            #expect(answer.status == 202, "\(answer.body)")
            #expect(answer.body["release"] as? Int == 1)
            #expect(answer.body["also"] == nil)
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }

            try await server.kinto("environment", "add", "hello", "staging", "--branch", "main")
            try await server.commit("second")
            async let pushed = server.pushTo("HEAD:main")
            try await server.until { Files.exists("\(three).held") }
            #expect(try await server.kinto("environment", "remove", "hello", "staging", "--yes").status == 0)
            try server.touch("three")
            let push = try await pushed
            #expect(push.output.contains("kinto: release 2 of hello/production"), "\(push.output)")
            #expect(try await server.releases("hello").first?["live"] as? Bool == true)
        }
    }

    /// It runs a build, another release waits, and more are pushed while it is taken away.
    @Test func whatIsPushedToAnEnvironmentThatGoesIsGoneWithIt() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","environments":{"staging":{"build":{"command":"trap '' TERM; sleep 3000"}}},"rollout":{"warm":"0s","watch":"0s","drain":"1s"}}"#
            )
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "m*")
            func deliver(_ id: Int) async throws -> Int {
                let commit = try await stage(server, "\(id)")
                return try await server.deliver(
                    commit, to: "hello", id: "\(id)", secret: server.webhookSecret
                ).status
            }
            for id in 1...2 { #expect(try await deliver(id) == 202) }
            try await server.until {
                try await server.releases("hello", "staging").last?["stage"] as? String == "build"
            }
            async let removed = server.kinto("environment", "remove", "hello", "staging", "--yes")
            for id in 3...8 { #expect(try await deliver(id) == 202) }
            let result = try await removed
            #expect(result.status == 0, "\(result.output)")
            // Those of the other environment are all there, and nothing is left of this one.
            #expect(try await server.releases("hello").count == 8)
            let mark = Array("KINTO_ENVIRONMENT=staging".utf8)
            for name in try Files.list("/proc") where Int(name) != nil {
                guard let variables = try? Files.read("/proc/\(name)/environ", limit: 1 << 20) else {
                    continue
                }
                let isOurs = variables.split(separator: 0).contains { Array($0) == mark }
                #expect(
                    !isOurs || !String(decoding: variables, as: UTF8.self).contains(server.root),
                    "process \(name) is left")
            }
            for directory in ["services", "work"] {
                #expect(!FileManager.default.fileExists(atPath: "\(server.home)/\(directory)/hello/staging"))
            }
            #expect(try await server.kinto("releases", "hello", "-e", "staging").status == 3)
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
        }
    }

    @Test func deliveriesAndReplaysTellOfEveryEnvironment() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            for (name, branch) in [("staging", "m*"), ("qa", "tags/v*"), ("off", "main")] {
                try await server.kinto("environment", "add", "hello", name, "--branch", branch)
            }
            try await server.kinto("environment", "set", "hello", "off", "--auto-deploy", "off")
            let commit = try await stage(server, "first")
            let first = try await server.deliver(commit, to: "hello", id: "1", secret: server.webhookSecret)
            #expect(first.status == 202)
            func kept(_ id: String) async throws -> [String: Any] {
                let all = try await server.json("deliveries", "hello", "--json") as? [[String: Any]]
                return try #require(all?.first { $0["delivery"] as? String == id })
            }
            func outcomes(_ delivery: [String: Any]) -> [String] {
                (delivery["releases"] as? [[String: Any]] ?? []).map {
                    "\($0["environment"] ?? "") \($0["release"] ?? "") \($0["isNew"] as? Bool ?? false)"
                }
            }
            #expect(try await outcomes(kept("1")) == ["production 1 true", "staging 1 true"])
            for name in ["production", "staging"] {
                try await server.until {
                    try await server.releases("hello", name).first?["live"] as? Bool == true
                }
            }
            // Told once more, it names each with its own release.
            let again = try await server.deliver(commit, to: "hello", id: "1", secret: server.webhookSecret)
            #expect(again.status == 200 && again.body["environment"] as? String == "production")
            let also = (again.body["also"] as? [[String: Any]])?.first
            #expect(also?["environment"] as? String == "staging" && also?["release"] as? Int == 1)
            // By today's settings: production is protected now, staging has it, and qa has the tag.
            try await server.kinto("config", "hello", "set", "A=b", "-e", "staging")
            try await server.kinto("environment", "set", "hello", "production", "--protect", "on")
            try await server.kinto("environment", "set", "hello", "qa", "--branch", "main")
            let replayed = try await server.kinto("deliveries", "hello", "replay", "1")
            for line in [
                "-----> Release 1 of hello/qa is queued; follow it with: kinto logs hello -e qa --release 1",
                "Nothing to deploy in hello/production: hello/production is protected",
                "Nothing to deploy in hello/staging: release 2 is live with this commit",
                "Nothing to deploy in hello/off: automatic deploys of hello/off are off",
            ] { #expect(replayed.output.contains(line), "\(replayed.output)") }
            let list = try await server.json("deliveries", "hello", "--json") as? [[String: Any]]
            #expect(outcomes(list?.first ?? [:]) == ["qa 1 true", "staging 2 false"])
            try await server.until {
                try await server.releases("hello", "qa").first?["live"] as? Bool == true
            }
            #expect(try await server.releases("hello").count == 1)
            // One environment alone is named, too.
            try await server.kinto("environment", "set", "hello", "qa", "--branch", "tags/v*")
            let repository = "\(server.home)/repos/hello.git"
            try await server.git("--git-dir", repository, "tag", "v1", try await stage(server, "second"))
            let tag = try await server.deliver(
                try await head(server), to: "hello", id: "2", secret: server.webhookSecret,
                reference: "refs/tags/v1")
            #expect(tag.status == 202)
            #expect(try await kept("2")["verdict"] as? String == "qa: queued as release 2")
            // A tag that is not there holds up nobody else.
            try await server.kinto("environment", "add", "hello", "all", "--branch", "tags/**")
            let gone = try await server.deliver(
                commit, to: "hello", id: "3", secret: server.webhookSecret, reference: "refs/tags/v9")
            #expect(gone.status == 200)
            #expect(
                (gone.body["ignored"] as? String)?.contains("has no tag 'v9'") == true, "\(gone.body)")
        }
    }

    /// Also what hooks left while the server was away reaches no environment that pushes do not deploy.
    @Test func theSpoolDeploysEachEnvironmentThatItMay() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto("environment", "set", "hello", "production", "--protect", "on")
            for (name, branch) in [("staging", "main"), ("qa", "ma*"), ("off", "main")] {
                try await server.kinto("environment", "add", "hello", name, "--branch", branch)
            }
            try await server.kinto("environment", "set", "hello", "off", "--auto-deploy", "off")
            try await server.commit("first")
            server.end(with: SIGKILL)
            #expect(try await server.pushTo("HEAD:main").output.contains("the push is kept"))
            try await server.commit("second")
            let chosen = try await server.pushTo("-o", "env=qa", "HEAD:main")
            #expect(chosen.output.contains("the push is kept"), "\(chosen.output)")
            try await server.serve()
            for (name, count) in [("staging", 1), ("qa", 2)] {
                try await server.until {
                    let releases = try await server.releases("hello", name)
                    return releases.count == count && releases.first?["live"] as? Bool == true
                }
            }
            for name in ["production", "off"] { #expect(try await server.releases("hello", name).isEmpty) }
            // With the server there the option says the same, and what is asked for and protected is told.
            try await server.commit("third")
            let push = try await server.pushTo("-o", "env=staging", "-o", "env=nosuch", "HEAD:main")
            #expect(push.output.contains("release 2 of hello/staging"), "\(push.output)")
            #expect(push.output.contains("there is no environment 'nosuch'"))
            #expect(!push.output.contains("hello/qa"))
            try await server.commit("fourth")
            let refused = try await server.pushTo("-o", "env=production", "HEAD:main")
            #expect(refused.output.contains("hello/production is protected"), "\(refused.output)")
            #expect(try await server.releases("hello", "staging").count == 2)
        }
    }

    @Test func aFloodOfReferencesInOnePushIsOneReleaseOfEach() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto("environment", "add", "hello", "all", "--branch", "**")
            try await server.kinto("environment", "add", "hello", "tags", "--branch", "tags/**")
            try await server.commit("first")
            let commit = try await head(server)
            for number in 0..<1000 {
                try server.write(".git/refs/tags/v\(number)", commit + "\n")
                try server.write(".git/refs/heads/f\(number)", commit + "\n")
            }
            let push = try await server.pushTo("refs/heads/*:refs/heads/f/*", "refs/tags/*:refs/tags/*")
            #expect(push.status == 0)
            let told = push.output.split(separator: "\n").filter { $0.contains("remote:") }
            #expect(told.count < 80, "\(told.count)")
            #expect(push.output.contains("other refs that are not deployed"), "\(told)")
            for name in ["all", "tags"] {
                let releases = try await server.releases("hello", name)
                #expect(releases.count == 1 && releases.first?["live"] as? Bool == true, "\(releases)")
            }
            #expect(try await server.releases("hello").isEmpty)
        }
    }

    @Test func aTagThatIsMovedIsDeployedUnlessItGoesBack() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto("environment", "set", "hello", "production", "--branch", "tags/live")
            try await server.commit("first")
            try await server.git("tag", "-a", "-m", "one", "live")
            #expect(try await server.pushTo("live").output.contains("Release 1 is live"))
            try await server.commit("second")
            try await server.git("tag", "-f", "-a", "-m", "two", "live")
            #expect(try await server.pushTo("-f", "live").output.contains("Release 2 is live"))
            // Another tag at what is live, and the same at what was live before.
            try await server.git("tag", "-f", "live", "HEAD~1")
            let back = try await server.pushTo("-f", "live")
            #expect(back.output.contains("is an ancestor of what is live (release 2)"), "\(back.output)")
            // One of a tree leads to no commit.
            try await server.git("tag", "-f", "live", "HEAD^{tree}")
            let tree = try await server.pushTo("-f", "live")
            #expect(tree.output.contains("tag 'live' leads to no commit"), "\(tree.output)")
            #expect(try await server.pushTo(":live").output.contains("was deleted; what runs stays"))
            #expect(try await server.text("hello.localhost").hasPrefix("release=2 "))
        }
    }

    @Test func whatFailsInOneEnvironmentIsToldOfThatOne() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","rollout":{"warm":"0s","watch":"0s"},"environments":{"qa":{"start":"exit 3","probe":{"deadline":"5s"}}}}"#
            )
            try await server.kinto("environment", "add", "hello", "qa", "--branch", "main")
            try await server.commit("first")
            let push = try await server.pushTo("HEAD:main")
            #expect(push.output.contains("kinto why hello -e qa 1"), "\(push.output)")
            #expect(push.output.contains("Release 1 is live at http://hello.localhost"))
            let status = try await server.kinto("status").output
            #expect(status.contains("hello/qa: release 1 failed"), "\(status)")
            #expect(status.contains("kinto why hello -e qa says more"))
            let why = try await server.kinto("why", "hello")
            #expect(why.output.contains("no release of hello/production failed"), "\(why.output)")
            #expect(try await server.kinto("why", "hello", "-e", "qa").output.contains("Release 1 failed"))
            let step = try await server.kinto("why", "hello", "-e", "qa", "--run", "99")
            #expect(step.output.contains("'kinto why hello -e qa' shows"), "\(step.output)")
            let quiet = try await server.kinto("deploy", "hello", "-e", "qa", "--quiet")
            #expect(quiet.output.contains("release 2 of hello -e qa: failed"), "\(quiet.output)")
        }
    }

    /// The machine was off: every environment is as it was.
    @Test func afterARebootEveryEnvironmentServes() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "main")
            try await server.kinto("environment", "add", "hello", "asleep", "--branch", "main")
            try await server.commit("first")
            _ = try await server.pushTo("HEAD:main")
            try await server.kinto("suspend", "hello", "-e", "asleep")
            try await server.commit("second")
            _ = try await server.pushTo("-o", "env=staging", "HEAD:main")
            server.end(with: SIGKILL)
            for pid in try server.supervisors() { kill(pid, SIGKILL) }
            try await server.serve()
            for (host, release) in [("hello", 1), ("hello--staging", 2)] {
                try await server.until {
                    (try? await server.text("\(host).localhost"))?.hasPrefix("release=\(release) ") == true
                }
            }
            #expect(try await server.get(host: "hello--asleep.localhost").status == 503)
        }
    }

    /// From a remote repository, by what each forge sends.
    @Test func tagsOfEachForgeDeployTheEnvironmentThatTheyFit() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            let origin = "\(server.root)/origin.git"
            try await server.git("init", "-q", "--bare", "-b", "main", origin)
            try await server.commit("first")
            try await server.git("push", "-q", origin, "HEAD:main")
            let added =
                try await server.json("service", "add", "far", "--repo", "file://\(origin)", "--json")
                as? [String: Any]
            let secret = try #require((added?["webhook"] as? [String: Any])?["secret"] as? String)
            try await server.kinto("environment", "add", "far", "qa", "--branch", "tags/v*")
            let count = TagPayload.pushed("v", object: "", commit: "").count
            for number in 0..<count {
                let (tag, note) = ("v\(number)", "\(number)")
                try server.write("note", note)
                try await server.commit(note)
                try await server.git("tag", "-a", "-m", note, tag)
                try await server.git("push", "-q", origin, "HEAD:main", tag)
                let commit = try await head(server)
                let object = String(try await server.git("rev-parse", tag).output.prefix(40))
                let payload = TagPayload.pushed(tag, object: object, commit: commit)[number]
                try await server.kinto("service", "set", "far", "--provider", payload.provider)
                let answer = try await deliver(payload, server, id: note, secret)
                #expect(answer.status == 202, "\(payload.provider): \(answer.body)")
                #expect(answer.body["environment"] as? String == "qa", "\(payload.provider)")
                try await server.until {
                    let release = try await server.releases("far", "qa").first
                    return release?["number"] as? Int == number + 1 && release?["live"] as? Bool == true
                        && release?["commit"] as? String == commit
                        && release?["branch"] as? String == "tags/\(tag)"
                }
            }
            #expect(try await server.releases("far").isEmpty)
        }
    }

    private func deliver(_ payload: TagPayload, _ server: Server, id: String, _ secret: String) async throws
        -> (status: Int, body: [String: Any])
    {
        let code = HMAC<SHA256>.authenticationCode(
            for: Array(payload.body.utf8), using: SymmetricKey(data: Array(secret.utf8)))
        let digest = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let proof: [String] =
            switch payload.provider {
            case "github": ["X-Hub-Signature-256: sha256=\(digest)", "X-GitHub-Delivery: \(id)"]
            case "gitlab": ["X-Gitlab-Token: \(secret)", "Idempotency-Key: \(id)"]
            case "gitea": ["X-Gitea-Signature: \(digest)", "X-Gitea-Delivery: \(id)"]
            case "forgejo": ["X-Forgejo-Signature: \(digest)", "X-Forgejo-Delivery: \(id)"]
            case "gogs": ["X-Gogs-Signature: \(digest)", "X-Gogs-Delivery: \(id)"]
            case "bitbucket": ["X-Hub-Signature: sha256=\(digest)", "X-Request-UUID: \(id)"]
            case "bitbucket-server": ["X-Hub-Signature: sha256=\(digest)", "X-Request-Id: \(id)"]
            default: ["Authorization: Bearer \(secret)", "Idempotency-Key: \(id)"]
            }
        let answer = try await HTTPClient.send(
            .init(
                "POST", url: "http://127.0.0.1:\(server.listen)/hooks/far",
                headers: ["Content-Type: application/json", "\(payload.event.name): \(payload.event.value)"]
                    + proof, body: Array(payload.body.utf8), timeout: 60_000))
        let json = try? JSONSerialization.jsonObject(with: Data(answer.body))
        return (answer.status, json as? [String: Any] ?? [:])
    }
}
