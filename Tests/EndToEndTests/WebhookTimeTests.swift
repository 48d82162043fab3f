// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import HTTPClient
import TestSupport
import Testing

/// What takes long at the webhook door, or never comes.
@Suite(.timeLimit(.minutes(20)))
struct WebhookTimeTests {
    /// Scenario 28, and what is never ended in a head.
    @Test func dripsAreClosedByTimeAndGoodDeliveriesGoOn() async throws {
        try await Server.with { server in
            let hook = try await Hook(server, "--provider", "github")
            // A byte a second of a body, of a head, and bodies that stop: each ends by itself.
            let script = """
                import socket, sys, time
                port, count = int(sys.argv[1]), int(sys.argv[2])
                body = b"POST /hooks/hello HTTP/1.1\\r\\nHost: a\\r\\nContent-Type: application/json\\r\\nContent-Length: 1000\\r\\n\\r\\n"
                drips = []
                for number in range(count):
                    s = socket.create_connection(("127.0.0.1", port))
                    s.sendall(body if number % 3 else b"POST /hooks/hello HTTP/1.1\\r\\nX: ")
                    s.setblocking(False)
                    drips.append((s, number % 3 != 2))
                began = time.monotonic()
                print("open", flush=True)
                answers = set()
                while drips and time.monotonic() - began < 600:
                    for one in list(drips):
                        s, goes_on = one
                        try:
                            if goes_on: s.send(b"x")
                            answer = s.recv(4096)
                            if answer: answers.add(answer[:12])
                            else: drips.remove(one)
                        except BlockingIOError: pass
                        except OSError: drips.remove(one)
                    time.sleep(1)
                print("left", len(drips), "answers", sorted(answers), flush=True)
                """
            try server.write("drip.py", script)
            let dripping = Task {
                try await server.run(
                    "/usr/bin/python3", ["\(server.work)/drip.py", "\(server.listen)", "300"])
            }
            let body = #"{"ref":"refs/heads/else","after":"\#(hook.commit)"}"#
            for number in 0..<20 {
                let answer = try await hook.post(
                    [
                        "X-GitHub-Event: push", "X-GitHub-Delivery: \(number)",
                        "X-Hub-Signature-256: sha256=\(hook.digest(body))",
                    ], body)
                #expect(answer.status == 200)
            }
            let output = try await dripping.value.output
            #expect(output.contains("left 0 answers [b'HTTP/1.1 408']"), "\(output)")
        }
    }

    @Test func aPushOfWhichNoDeliveryToldIsFound() async throws {
        try await Server.with(["--look-every", "1s"]) { server in
            let hook = try await Hook(server, "--provider", "generic")
            func deliver() async throws -> Int {
                try await hook.post(["Authorization: Bearer \(hook.secret)"], "").status
            }
            func missed() async throws -> [String] {
                try await hook.deliveries().filter { $0["event"] as? String == "missed push" }.map {
                    $0["verdict"] as? String ?? ""
                }
            }
            func commit(_ text: String) async throws {
                try server.write("server.py", Server.application + "\n# \(text)")
                try await server.git("commit", "-qam", text)
                try await server.git("push", "-q", "\(server.root)/remote.git", "HEAD:main")
            }
            // Nothing was deployed yet: nobody asked for it.
            #expect(try await server.kinto("deploy", "hello").status == 0)
            // Never a delivery: it is told, once.
            try await commit("one")
            try await server.until { try await missed().count == 1 }
            #expect(try await missed()[0].contains("is there a webhook at the forge?"))
            #expect(try await deliver() == 202)
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
            #expect(try await server.releases("hello").count == 2)
            // From now on pushes are meant to be deployed.
            try await commit("two")
            try await server.until {
                let newest = try await server.releases("hello").first
                return newest?["number"] as? Int == 3 && newest?["live"] as? Bool == true
            }
            #expect(try await missed().first == "queued as release 3")
            #expect(try await server.kinto("service", "set", "hello", "--missed", "warn").status == 0)
            try await commit("three")
            try await server.until { try await missed().count == 3 }
            #expect(
                try await missed()[0].hasPrefix(
                    "ignored: no delivery told of this push; deploy it with: kinto deploy"))
            #expect(try await server.releases("hello").count == 3)
            // A delivery that comes late is taken as any other.
            #expect(try await deliver() == 202)
            try await server.until { try await server.releases("hello").first?["live"] as? Bool == true }
            #expect(try await server.releases("hello").count == 4)
            #expect(try await missed().count == 3)
            // Each environment by itself: a tag that is named is looked for, too.
            try await server.kinto("service", "set", "hello", "--missed", "deploy")
            try await server.kinto("environment", "set", "hello", "production", "--auto-deploy", "off")
            try await server.kinto("environment", "add", "hello", "tagged", "--branch", "tags/live")
            func tag(_ text: String) async throws -> String {
                try await server.git("tag", "-f", "-a", "-m", text, "live")
                try await server.git("push", "-q", "-f", "\(server.root)/remote.git", "live")
                return String(try await server.git("rev-parse", "HEAD").output.prefix(40))
            }
            _ = try await tag("one")
            #expect(try await server.kinto("deploy", "hello", "-e", "tagged").status == 0)
            try await commit("four")
            let moved = try await tag("two")
            try await server.until {
                let newest = try await server.releases("hello", "tagged").first
                return newest?["commit"] as? String == moved && newest?["live"] as? Bool == true
            }
            #expect(try await missed().first == "tagged: queued as release 2")
            #expect(try await server.releases("hello").count == 4)
        }
    }
}
