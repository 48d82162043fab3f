// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// What forges, repositories and strangers do around the webhook door.
@Suite(.timeLimit(.minutes(20)))
struct WebhookWorldTests {
    /// What GitHub sends.
    private func headers(_ hook: Hook, _ body: String, _ id: String, secret: String? = nil) -> [String] {
        [
            "X-GitHub-Event: push", "X-GitHub-Delivery: \(id)",
            "X-Hub-Signature-256: sha256=\(hook.digest(body, secret))",
        ]
    }

    /// Scenario 26, shorter: a flood of wrong signatures beside good deliveries.
    @Test func aFloodOfWrongSignaturesLeavesGoodDeliveriesAlone() async throws {
        try await Server.with { server in
            let hook = try await Hook(server, "--provider", "github")
            let body = #"{"ref":"refs/heads/else","after":"\#(hook.commit)"}"#
            try server.write(
                "flood.py",
                """
                import http.client, os, sys, threading

                port, end, count = int(sys.argv[1]), sys.argv[2], []
                def flood():
                    c, done = http.client.HTTPConnection("127.0.0.1", port), 0
                    while done < 20 or not os.path.exists(end):
                        c.request("POST", "/hooks/hello", "{}", {"Content-Type": "application/json",
                            "X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + "0" * 64})
                        a = c.getresponse(); a.read()
                        assert a.status in (401, 429), a.status
                        done += 1
                    count.append(done)
                threads = [threading.Thread(target=flood) for _ in range(16)]
                [t.start() for t in threads]; [t.join() for t in threads]
                print(len(count), sum(count))
                """)
            let began = ContinuousClock.now
            let flood = Task {
                try await server.run(
                    "/usr/bin/python3", ["\(server.work)/flood.py", "\(server.listen)", "\(server.root)/end"])
            }
            for number in 0..<5 {
                try await Task.sleep(for: .milliseconds(500))
                #expect(try await hook.post(headers(hook, body, "good-\(number)"), body).status == 200)
            }
            try server.touch("end")
            let words = try await flood.value.output.split(whereSeparator: \.isWhitespace).compactMap {
                Int($0)
            }
            #expect(words.count == 2 && words[0] == 16 && words[1] > 100, "\(words)")
            let status = try String(contentsOfFile: "/proc/\(server.pid)/status", encoding: .utf8)
            let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
            let kilobytes = peak.flatMap { Int($0.filter(\.isNumber)) } ?? .max
            #expect(kilobytes < 150 << 10)
            // Told, not kept by the thousand.
            let kept =
                try await server.json("deliveries", "hello", "-n", "10000", "--json") as? [[String: Any]]
                ?? []
            #expect(kept.count { $0["status"] as? Int == 200 } == 5)
            #expect(kept.count < 100 + Int((ContinuousClock.now - began) / .seconds(10)), "\(kept.count)")
        }
    }

    /// Scenario 30: what is no push of commits, and a push by force.
    @Test func deletionsTagsAndForcedPushes() async throws {
        try await Server.with { server in
            let hook = try await Hook(server, "--provider", "github")
            let zero = String(repeating: "0", count: 40)
            func deliver(_ body: String, _ id: String) async throws -> (status: Int, body: [String: Any]) {
                try await hook.post(headers(hook, body, id), body)
            }
            #expect(
                try await deliver(
                    #"{"ref":"refs/heads/main","after":"\#(hook.commit)","commits":[],"before":"\#(zero)"}"#,
                    "1"
                ).status == 202)
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
            for (body, id) in [
                (#"{"ref":"refs/heads/main","after":"\#(zero)","deleted":true}"#, "2"),
                (#"{"ref":"refs/tags/v1","after":"\#(hook.commit)"}"#, "3"),
                (#"{"ref":"refs/tags/v1","after":"\#(zero)","deleted":true}"#, "4"),
                (#"{"ref":"refs/heads/other","after":"\#(hook.commit)","created":true}"#, "5"),
                (#"{"ref":"refs/heads/MAIN","after":"\#(hook.commit)"}"#, "6"),
            ] {
                let answer = try await deliver(body, id)
                #expect(answer.status == 200 && answer.body["ignored"] is String, "\(body): \(answer)")
            }
            #expect(try await server.releases("hello").count == 1)
            #expect(try await server.get().status == 200)
            // Another history than what is live: its tip is deployed.
            try await server.git("checkout", "-q", "--orphan", "again")
            try server.write("server.py", Server.application + "\n# forced")
            try await server.git("add", "-A")
            try await server.git("commit", "-qm", "forced")
            try await server.git("push", "-qf", "\(server.root)/remote.git", "again:main")
            let tip = try await server.git("rev-parse", "HEAD").output.trimmingCharacters(
                in: .whitespacesAndNewlines)
            #expect(
                try await deliver(#"{"ref":"refs/heads/main","after":"\#(tip)","forced":true}"#, "7").status
                    == 202)
            try await server.until {
                let newest = try await server.releases("hello").first
                return newest?["number"] as? Int == 2 && newest?["live"] as? Bool == true
            }
            #expect(try await server.releases("hello").first?["commit"] as? String == tip)
        }
    }

    /// Scenarios 31 and 32: the branch is gone when it is fetched, a commit that is nowhere, and a repository of somebody else.
    @Test func theRepositoryDecidesAndAPayloadsAddressIsNeverContacted() async throws {
        try await Server.with { server in
            let hook = try await Hook(server, "--provider", "github")
            func deliver(_ commit: String, _ id: String, more: String = "") async throws -> Int {
                let body = #"{"ref":"refs/heads/main","after":"\#(commit)"\#(more)}"#
                return try await hook.post(headers(hook, body, id), body).status
            }
            let stranger = try FreePort.take()
            try server.write(
                "listen.py",
                """
                import socket, sys
                s = socket.create_server(("127.0.0.1", int(sys.argv[1]))); s.settimeout(float(sys.argv[2]))
                print("listening", flush=True)
                try: s.accept(); print("contacted")
                except TimeoutError: print("never")
                """)
            let listening = Task {
                try await server.run("/usr/bin/python3", ["\(server.work)/listen.py", "\(stranger)", "5"])
            }
            let url = "http://127.0.0.1:\(stranger)/evil.git"
            #expect(
                try await deliver(
                    hook.commit, "1",
                    more:
                        #","repository":{"clone_url":"\#(url)","git_url":"\#(url)","ssh_url":"\#(url)","url":"\#(url)"}"#
                )
                    == 202)
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
            let live = try await server.releases("hello").first?["instances"] as? [[String: Any]]
            // A commit that is not there: the branch's tip is what counts, and it is live.
            #expect(try await deliver(String(repeating: "a", count: 40), "2") == 202)
            try await server.until { try await server.releases("hello").first?["finishedAt"] is String }
            #expect(try await server.releases("hello").first?["status"] as? String == "superseded")
            // The branch goes between the delivery and the fetch.
            try await server.git("--git-dir=\(server.root)/remote.git", "branch", "-m", "main", "gone")
            #expect(try await deliver(String(repeating: "b", count: 40), "3") == 202)
            try await server.until {
                try await server.releases("hello").first?["status"] as? String == "failed"
            }
            let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "fetch-branch-gone", "\(String(describing: failure))")
            #expect(try await server.get().status == 200)
            let now = try await server.releases("hello").first { $0["live"] as? Bool == true }
            #expect(
                (now?["instances"] as? [[String: Any]])?.first?["pid"] as? Int == live?.first?["pid"] as? Int)
            #expect(try await listening.value.output.contains("never"))
        }
    }
}
