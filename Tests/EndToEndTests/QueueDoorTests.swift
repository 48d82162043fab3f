// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Many triggers at once, by webhook and by hook.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct QueueDoorTests {
    /// Services `s0`, `s1` … of one repository with a chain of commits, none of which was deployed yet.
    struct Services {
        let server: Server
        let names: [String]
        /// Oldest first.
        let commits: [String]
        private let secrets: [String: String]

        init(_ server: Server, count: Int, commits: Int, settings: String) async throws {
            self.server = server
            try await server.git("init", "-q", "-b", "main")
            try server.write("server.py", Server.application)
            try server.write("kinto.json", settings)
            try await server.git("add", "-A")
            for number in 1...commits {
                try await server.git("commit", "-q", "--allow-empty", "-m", "\(number)")
            }
            self.commits = try await server.git("rev-list", "--reverse", "HEAD").output.split(separator: "\n")
                .map(String.init)
            names = (0..<count).map { "s\($0)" }
            var secrets: [String: String] = [:]
            for name in names {
                let path = "\(server.root)/\(name).git"
                try await server.git("clone", "-q", "--bare", server.work, path)
                let added =
                    try await server.json("service", "add", name, "--repo", path, "--json") as? [String: Any]
                secrets[name] = (added?["webhook"] as? [String: Any])?["secret"] as? String
            }
            self.secrets = secrets
        }

        /// A signed delivery, and its answer.
        func deliver(_ commit: String, to name: String, id: String) async throws -> (
            status: Int, body: [String: Any]
        ) {
            try await server.deliver(commit, to: name, id: id, secret: secrets[name] ?? "")
        }

        /// Waits until every release of all services is over, and gives them, oldest first.
        func settled() async throws -> [String: [[String: Any]]] {
            var all: [String: [[String: Any]]] = [:]
            for name in names {
                // As many builds as there are services may come one after the other.
                for _ in 0..<5 {
                    do {
                        try await server.until {
                            all[name] = try await server.releases(name).reversed()
                            return all[name]?.allSatisfy { $0["finishedAt"] is String } == true
                        }
                        break
                    } catch is Trouble { continue }
                }
            }
            return all
        }
    }

    private static let settings =
        #"{"start":"exec python3 -S server.py","rollout":{"drain":"1s","warm":"0s","watch":"0s"},"build":{"command":"true"}}"#

    /// Scenario 23.
    @Test func theSameDeliveryAHundredTimesIsOneRelease() async throws {
        try await Server.with { server in
            let services = try await Services(server, count: 1, commits: 1, settings: Self.settings)
            let answers = try await withThrowingTaskGroup(of: (Int, Int?).self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        let (status, body) = try await services.deliver(
                            services.commits[0], to: "s0", id: "the-same")
                        return (status, body["release"] as? Int)
                    }
                }
                return try await group.reduce(into: [(Int, Int?)]()) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.1 == 1 }, "\(answers)")
            #expect(answers.count { $0.0 == 202 } == 1)
            #expect(answers.count { $0.0 == 200 } == 99)
            let releases = try await services.settled()
            #expect(releases["s0"]?.map { $0["status"] as? String } == ["deployed"])
            // Another delivery of what is live now deploys nothing, and says which release serves it.
            let (status, body) = try await services.deliver(services.commits[0], to: "s0", id: "another")
            #expect(status == 200)
            #expect(body["release"] as? Int == 1)
            #expect((body["ignored"] as? String)?.contains("is live with this commit") == true, "\(body)")
        }
    }

    /// Scenario 24, shortened, without its times: `make bench-queue` has those.
    @Test func ofManyTriggersToManyServicesNoneIsLost() async throws {
        try await Server.with { server in
            let services = try await Services(server, count: 4, commits: 20, settings: Self.settings)
            let hook = "\(server.bin)/kinto-runtime"
            // Half by webhook and half by hook, all at once; what comes first is chance.
            let accepted = try await withThrowingTaskGroup(of: (name: String, release: Int?).self) { group in
                for (index, commit) in services.commits.enumerated() {
                    for name in services.names {
                        group.addTask {
                            if index % 2 == 0 {
                                let (status, body) = try await services.deliver(
                                    commit, to: name, id: "\(name)-\(index)")
                                return (name, status == 202 ? body["release"] as? Int : nil)
                            }
                            let update = "\(String(repeating: "0", count: 40)) \(commit) refs/heads/main"
                            let output = try await server.run(
                                "/bin/bash",
                                [
                                    "-c",
                                    "echo \(update) | \(hook) hook post-receive --home \(server.home) --service \(name)",
                                ]
                            ).output
                            let number = output.firstMatch(of: /kinto: release (\d+) of/).flatMap {
                                Int($0.1)
                            }
                            return (name, number)
                        }
                    }
                }
                return try await group.reduce(into: [String: [Int]]()) {
                    if let number = $1.release { $0[$1.name, default: []].append(number) }
                }
            }
            for (name, releases) in try await services.settled() {
                let numbers = releases.compactMap { $0["number"] as? Int }
                #expect(accepted[name]?.sorted() == numbers, "\(name)")
                #expect(numbers == Array(1...max(1, numbers.count)))
                let ends = releases.compactMap { $0["status"] as? String }
                #expect(Set(ends).isSubset(of: ["deployed", "superseded"]), "\(name): \(ends)")
                // The newest commit serves, in whatever order they came.
                let live = releases.first { $0["live"] as? Bool == true }
                #expect(live?["commit"] as? String == services.commits.last, "\(name): \(ends)")
                // In order, one after the other.
                let started = releases.filter { $0["startedAt"] is String }
                for (earlier, later) in zip(started, started.dropFirst()) {
                    #expect((earlier["finishedAt"] as? String ?? "") <= (later["startedAt"] as? String ?? ""))
                }
            }
        }
    }

    /// Scenario 76, with 12 services and two builds at a time.
    @Test func manyServicesAtOnceTakeTurns() async throws {
        try await Server.with(["--builds", "2", "--rollouts", "2"]) { server in
            let settings = Self.settings.replacingOccurrences(
                of: #""command":"true""#,
                with:
                    #""command":"echo + >> \#(server.root)/builds; sleep 0.2; echo - >> \#(server.root)/builds""#
            )
            let services = try await Services(server, count: 12, commits: 1, settings: settings)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for name in services.names {
                    group.addTask {
                        let (status, _) = try await services.deliver(services.commits[0], to: name, id: "1")
                        #expect(status == 202)
                    }
                }
                try await group.waitForAll()
            }
            let releases = try await services.settled()
            #expect(releases.values.allSatisfy { $0.count == 1 && $0[0]["status"] as? String == "deployed" })
            let builds = try String(contentsOfFile: "\(server.root)/builds", encoding: .utf8).split(
                separator: "\n")
            var now = 0
            var most = 0
            for line in builds {
                now += line == "+" ? 1 : -1
                most = max(most, now)
            }
            #expect(builds.count == 24)
            #expect(most <= 2)
        }
    }
}

extension Server {
    /// A signed delivery of a push, and its answer.
    func deliver(
        _ commit: String, to name: String, id: String, secret: String, reference: String = "refs/heads/main"
    ) async throws -> (status: Int, body: [String: Any]) {
        let body = Array(#"{"ref":"\#(reference)","after":"\#(commit)"}"#.utf8)
        let code = HMAC<SHA256>.authenticationCode(for: body, using: SymmetricKey(data: Array(secret.utf8)))
        let digest = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let answer = try await HTTPClient.send(
            .init(
                "POST", url: "http://127.0.0.1:\(listen)/hooks/\(name)",
                headers: [
                    "Content-Type: application/json", "X-GitHub-Event: push",
                    "X-GitHub-Delivery: \(id)", "X-Hub-Signature-256: sha256=\(digest)",
                ], body: body, timeout: 180_000))
        let json = try JSONSerialization.jsonObject(with: Data(answer.body))
        return (answer.status, json as? [String: Any] ?? [:])
    }
}
