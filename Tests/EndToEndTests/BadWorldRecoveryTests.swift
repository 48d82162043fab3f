// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// A host that gets better again: what was refused works then, without a restart.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct BadWorldRecoveryTests {
    @Test func aStablePortHeldByAnotherProgramFailsUntilItIsFree() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let before = try await server.body()
            let port = try FreePort.take()
            let owner = Process()
            owner.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            owner.arguments = [
                "python3", "-c",
                """
                import socket, time
                s = socket.create_server(('127.0.0.1', \(port)))
                open('\(server.root)/bound', 'w').close()
                time.sleep(3600)
                """,
            ]
            try owner.run()
            // SIGTERM may be blocked in what the test runner starts.
            defer { kill(owner.processIdentifier, SIGKILL) }
            try await server.until { FileManager.default.fileExists(atPath: "\(server.root)/bound") }
            try server.write(
                "kinto.json", #"{"start":"python3 server.py","probe":{"path":"/"},"port":\#(port)}"#)
            let push = try await server.push("a taken port")
            let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "port-taken", "\(push.output)")
            #expect(push.output.contains("port \(port) is taken by python3"), "\(push.output)")
            #expect(push.output.contains("\(owner.processIdentifier)"), "\(push.output)")
            #expect(try await server.body() == before)

            kill(owner.processIdentifier, SIGKILL)
            await onThread { owner.waitUntilExit() }
            let deploy = try await server.kinto("deploy", "hello")
            #expect(deploy.status == 0, "\(deploy.output)")
            let answer = try await HTTPClient.send(.init(url: "http://127.0.0.1:\(port)/", timeout: 60_000))
            #expect(answer.status == 200)
        }
    }

    @Test func aRefusedSecondServerLeavesTheFirstAsItWas() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let before = try await server.body()
            let second = try await Server.command([
                "serve", "--home", server.home, "--listen", "127.0.0.1:\(try FreePort.take())",
                "--proxy-listen", "127.0.0.1:\(try FreePort.take())",
            ])

            #expect(second.status == 3, "\(second.output)")
            #expect(second.output.contains("pid \(server.pid)"), "\(second.output)")
            #expect(second.output.contains("--home"), "\(second.output)")
            #expect(try await server.body() == before)
            #expect(try await server.push("next").output.contains("Release 2 is live"))
        }
    }

    @Test func refusedNamesCreateNothingAnywhereInTheHome() async throws {
        try await Server.with { server in
            let token = try String(contentsOfFile: "\(server.home)/token", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let before = try server.directories()
            for name in [
                "", "a/b", "../x", "..", ".", "-x", "x-", "Ünïcode", "UPPER", "a b", "a\nb", "a;id", "a%2fb",
                String(repeating: "a", count: 64), String(repeating: "a", count: 10_240),
            ] {
                let added = try await server.add(name)
                #expect(added.status == 2, "\(name.prefix(20)): \(added.output.prefix(300))")
                #expect(!added.output.contains("unexpected argument"), "\(added.output.prefix(300))")
                let body = try JSONSerialization.data(withJSONObject: ["name": name])
                let answer = try await HTTPClient.send(
                    .init(
                        "POST", url: "http://127.0.0.1:\(server.listen)/api/v1/services",
                        headers: ["Content-Type: application/json", "Authorization: Bearer \(token)"],
                        body: Array(body), timeout: 60_000))
                #expect((400..<500).contains(answer.status), "\(name.prefix(20)): \(answer.status)")
            }
            #expect(try server.directories() == before)
            #expect(!FileManager.default.fileExists(atPath: "\(server.root)/x"))
            // The same command line takes a good name: it was the name that was refused.
            let good = try await server.add("good")
            #expect(good.status == 0, "\(good.output)")
        }
    }
}

extension Server {
    /// `service add` with a name that may look like an option: all options come before `--`.
    func add(_ name: String) async throws -> Result {
        try await run("\(bin)/kinto", ["service", "add", "--home", home, "--", name])
    }

    /// The directories below the home.
    func directories() throws -> Set<String> {
        Set(
            try FileManager.default.subpathsOfDirectory(atPath: home).filter { path in
                var isDirectory: ObjCBool = false
                return FileManager.default.fileExists(atPath: "\(home)/\(path)", isDirectory: &isDirectory)
                    && isDirectory.boolValue
            })
    }
}
