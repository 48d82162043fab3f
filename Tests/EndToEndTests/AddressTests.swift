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

    @Test(arguments: ["127.0.0.1", "::1:7780", "[::1]", "localhost:80", "[127.0.0.1]:80"])
    func whatIsNoAddressIsRefused(text: String) async throws {
        try await TemporaryDirectory.with { directory in
            let tried = try await Server.command(["serve", "--home", "\(directory)/home", "--listen", text])
            #expect(tried.status == 2, "\(tried.output)")
            #expect(tried.output.contains("--listen wants ADDRESS:PORT"), "\(tried.output)")
        }
    }
}
