// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// Where the server and its proxy listen.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct AddressTests {
    @Test func visitorsOfBothKindsAreServed() async throws {
        let (control, proxy) = (try FreePort.take(), try FreePort.take())
        try await Server.with(["--listen", "[::1]:\(control)", "--proxy-listen", "[::]:\(proxy)"]) { server in
            try await server.setUp()
            let push = try await server.push("first")
            #expect(
                push.output.contains("Release 1 is live at http://hello.localhost:\(proxy)/"),
                "\(push.output)")
            for host in ["127.0.0.1", "[::1]"] {
                let answer = try await HTTPClient.send(
                    .init(
                        url: "http://\(host):\(proxy)/", headers: ["Host: hello.localhost"], timeout: 60_000))
                #expect(answer.status == 200)
            }
            let health = try await HTTPClient.send(
                .init(url: "http://[::1]:\(control)/healthz", timeout: 60_000))
            #expect(health.status == 200)
            // The same addresses are recognised: nothing is replaced.
            let before = try await server.json("status", "--json") as? [String: Any]
            _ = server.stop()
            try await server.serve()
            let after = try await server.json("status", "--json") as? [String: Any]
            let pids = [before, after].map { ($0?["proxy"] as? [String: Any])?["pid"] as? Int }
            #expect(pids[0] != nil && pids[0] == pids[1])
        }
    }

    /// A domain whose names all lead to the server: every environment has one.
    @Test func environmentsHaveNamesBelowADomain() async throws {
        try await Server.with(["--domain", "Apps.example.com"]) { server in
            try await server.setUp()
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "main")
            let push = try await server.push("first")
            #expect(
                push.output.contains(
                    "Release 1 is live at http://hello--staging.apps.example.com:\(server.proxy)/"),
                "\(push.output)")
            for host in ["hello", "hello--staging"].flatMap({ ["\($0).localhost", "\($0).apps.example.com"] })
            {
                let answer = try await server.get(host: host)
                #expect(answer.status == 200, "\(host)")
            }
            #expect(try await server.get(host: "other.apps.example.com").status == 404)
            // Nobody else gets it, also not by its settings.
            try await server.kinto("service", "add", "thief")
            try server.write(
                "kinto.json", #"{"start":"python3 server.py","hosts":["hello.apps.example.com"]}"#)
            try await server.git("commit", "-qam", "mine")
            _ = try await server.git("push", "\(server.home)/repos/thief.git", "HEAD:main")
            let failure = try await server.releases("thief").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "host-taken")
            #expect(
                String(decoding: try await server.get(host: "hello.apps.example.com").body, as: UTF8.self)
                    .hasPrefix("release=1 "))
        }
    }

    @Test func whatIsNoDomainIsRefused() async throws {
        try await TemporaryDirectory.with { directory in
            let tried = try await Server.command([
                "serve", "--home", "\(directory)/home", "--domain", "*.example.com",
            ])
            #expect(
                tried.status != 0 && tried.output.contains("--domain is like apps.example.com"),
                "\(tried.output)")
        }
    }

    @Test(arguments: ["127.0.0.1", "::1:7780", "[::1]", "localhost:80", "[127.0.0.1]:80"])
    func whatIsNoAddressIsRefused(text: String) async throws {
        try await TemporaryDirectory.with { directory in
            let tried = try await Server.command(["serve", "--home", "\(directory)/home", "--listen", text])
            #expect(tried.status == 2, "\(tried.output)")
            #expect(tried.output.contains("--listen wants ADDRESS:PORT"), "\(tried.output)")
        }
    }
}
