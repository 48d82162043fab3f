// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// A process that serves as one release after the other.
@Suite(.timeLimit(.minutes(20)))
struct TakenBackTests {
    @Test func aRequestFromItsFirstTimeEndsBeforeItIsStopped() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"watch":"0s","warm":"10m"}}"#)
            let mark = "\(server.root)/slow"
            try server.write(
                "server.py",
                Server.application.replacingOccurrences(
                    of: "        self.rfile.read(",
                    with: """
                                if self.path == "/slow":
                                    import time
                                    open("\(mark)", "w").close()
                                    time.sleep(5)
                                self.rfile.read(
                        """))
            try await server.push("one")
            try await server.push("two")
            func isWarm(_ number: Int) async throws -> Bool {
                let release = try await server.releases("hello").first { $0["number"] as? Int == number }
                return release?["warmUntil"] is String
            }
            try await server.until { try await isWarm(1) }
            // Release 3 is the process of release 1.
            #expect(try await server.kinto("rollback", "hello").status == 0)
            let slow = Task {
                try await HTTPClient.send(
                    .init(
                        "POST", url: "http://127.0.0.1:\(server.proxy)/slow",
                        headers: ["Host: hello.localhost"], timeout: 60_000))
            }
            try await server.until { FileManager.default.fileExists(atPath: mark) }
            for _ in 4...6 { #expect(try await server.kinto("rollback", "hello").status == 0) }
            // As release 5 it got no request, so its drain is over at once, and the next release takes its place.
            try await server.until { try await isWarm(5) }
            #expect(try await server.kinto("config", "hello", "set", "GREETING=new").status == 0)
            let answer = try await slow.value
            #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
            #expect(answer.body.starts(with: "release=1 ".utf8))
        }
    }
}
