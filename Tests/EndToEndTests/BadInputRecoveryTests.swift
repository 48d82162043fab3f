// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import Testing

/// What follows a bad push: the same process goes on answering, and the next good push goes live.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct BadInputRecoveryTests {
    @Test func aRefusedPushIsFollowedByAGoodOne() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let good = #"{"start":"python3 server.py","probe":{"path":"/"}}"#
            let cases = [
                "ln -sf /etc/passwd kinto.json", "printf '' > kinto.json",
                "printf '{\"start\":\"\\377\"}' > kinto.json",
            ]
            for (index, make) in cases.enumerated() {
                let before = try await server.body()
                try await server.shell(make)
                #expect(try await server.push("bad \(index)").status != 0, "\(make)")
                #expect(try await server.body() == before, "\(make)")
                try await server.shell("rm kinto.json")
                try server.write("kinto.json", good)
                let push = try await server.push("good \(index)")
                #expect(push.output.contains("Release \(index + 2) is live"), "\(make): \(push.output)")
            }
            // All problems of one file are told at once, each with its place.
            try server.write("kinto.json", "{\n  \"strat\": \"x\",\n  \"start\": \"a\",\n  \"prot\": 1\n}")
            let push = try await server.push("two typos")
            for told in ["kinto.json:2:3: ", "kinto.json:4:3: ", "did you mean 'port'?"] {
                #expect(push.output.contains(told), "\(push.output)")
            }
            // A Procfile stands in for kinto.json.
            try await server.shell("rm kinto.json; echo 'web: python3 server.py' > Procfile")
            let procfile = try await server.push("a Procfile")
            #expect(procfile.output.contains("is live"), "\(procfile.output)")
        }
    }

    @Test func aBrokenApplicationLeavesTheSameProcessAnswering() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let mark = "4\(UInt32.random(in: 100_000...999_999))"
            let failing = "sed 's/send_response(200)/send_response(500)/' server.py > other.py"
            let moved = """
                sed 's/send_response(200)/send_response(301)/; s/self.end_headers/self.send_header("Location", \
                "https:\\/\\/example.com\\/"); self.end_headers/' server.py > other.py
                """
            let slow = "(echo 'import time; time.sleep(3)'; cat server.py) > other.py"
            let cases: [(make: String, start: String, status: String, code: String?)] = [
                (failing, "python3 other.py", "200-399", "probe-status"),
                (moved, "python3 other.py", "200", "probe-status"),
                ("true", "setsid sleep \(mark) & exit 0", "200-399", "daemonized"),
                (slow, "python3 other.py", "200-399", nil),
            ]
            for (index, one) in cases.enumerated() {
                let before = try await server.body()
                try await server.shell(one.make)
                let push = try await server.push("application \(index)", failing: one.code) { deadline in
                    let probe = #"{"path":"/","status":"\#(one.status)","deadline":"\#(deadline)"}"#
                    return #"{"start":"\#(one.start)","probe":\#(probe)}"#
                }
                let newest = try await server.releases("hello").first
                let failure = newest?["failure"] as? [String: Any]
                #expect(failure?["code"] as? String == one.code, "\(one): \(push.output)")
                #expect(try !server.isRunning(mark), "\(one)")
                let after = try await server.body()
                #expect((after == before) == (one.code != nil), "\(one): \(before) then \(after)")
            }
        }
    }
}

extension Server {
    /// What the live release answers: its number and the process that answers.
    func body() async throws -> String {
        let answer = try await get()
        return "\(answer.status) \(String(decoding: answer.body, as: UTF8.self))"
    }
}
